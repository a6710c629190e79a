"""Places for requests, and those that are always free."""

import asyncio
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient

from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.contract.gate.test_bounds import trickle
from tests.contract.intake.test_uploads import MULTIPART, ROUTE
from tests.fakes.services import MODEL, FakeUploads, services
from tests.fakes.stages import FakeRecognizer, graph
from tests.support.asgi import Exchange
from tests.support.hostile import part

PLACES = 3


async def test_health_and_cancelling_find_a_place_behind_uploads_that_trickle(
    jobs: JobFrontend, uploads: FakeUploads
) -> None:
    app = create_app(
        services(jobs, uploads=uploads, config=HttpConfig(model=MODEL, max_requests=PLACES))
    )
    client = AsyncClient(transport=ASGITransport(app), base_url="http://service")
    job = (await client.post("/v1/jobs", json={"url": "https://example.com/a.mp3"})).json()
    slow = [Exchange(app, ROUTE, MULTIPART, trickle(part("file"))) for _ in range(PLACES)]
    uploading = [asyncio.create_task(each.run()) for each in slow]
    while any(not each.received for each in slow):
        await asyncio.sleep(0.001)
    refused = await client.get("/v1/models")
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    assert refused.json()["error"]["message"]
    assert (await client.get("/health")).status_code == 200
    assert (await client.get("/ready")).status_code == 200
    assert (await client.post(f"/v1/jobs/{job['id']}/cancel")).status_code == 200
    assert (await client.delete("/cancel/unknown")).status_code == 404
    for each in slow:
        each.leave()
    for task in uploading:
        task.cancel()
    await asyncio.gather(*uploading, return_exceptions=True)
    assert (await client.get("/v1/models")).status_code == 200
    await jobs._database.close()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ROUTE, {"data": {"model": "whisper-1"}, "files": {"file": ("a.wav", b"RIFF")}}),
        ("/asr", {"files": {"audio_file": ("a.wav", b"RIFF")}}),
    ],
)
async def test_a_request_whose_time_is_over_is_told_so_and_its_work_stops(
    jobs: JobFrontend, path: str, body: dict[str, Any]
) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    config = HttpConfig(model=MODEL, max_request_s=0.3)
    app = create_app(services(jobs, transcriber=graph(recognizer), config=config))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        answer = await client.post(path, **body)
    assert answer.status_code == 504
    error = answer.json()["error"] if path == ROUTE else {"message": answer.json()["detail"]}
    assert error.get("code", "out_of_time") == "out_of_time"
    assert "as a job" in error["message"]
    assert recognizer.cancelled
    assert not recognizer.running
    await jobs._database.close()
