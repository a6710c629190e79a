"""Uploads: streamed, bounded, cleaned up; and clients who leave."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from interchange.errors import Unavailable
from interchange.files.blobs import BlobStore
from interchange.stages import BlobSource
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.contract.conftest import MakeClient
from tests.fakes.services import (
    MODEL,
    FakeTranscriber,
    FakeUploads,
    job_frontend,
    services,
)
from tests.support.asgi import Exchange

ROUTE = "/v1/audio/transcriptions"
MULTIPART = {"content-type": "multipart/form-data; boundary=cut"}
HEAD = (
    b'--cut\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
TAIL = b"\r\n--cut--\r\n"


async def upload(size: int, chunk: int = 2**16, tail: bytes = TAIL) -> AsyncIterator[bytes]:
    yield HEAD
    for start in range(0, size, chunk):
        yield b"x" * min(chunk, size - start)
    yield tail


def no_jobs(transcriber: FakeTranscriber | None = None) -> JobFrontend:
    """For routes that need none: it has nowhere to keep them."""
    return job_frontend(transcriber or FakeTranscriber(), Path("/dev/null"))


def exchange(
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    body: AsyncIterator[bytes],
    max_bytes: int = 2**20,
    headers: dict[str, str] = MULTIPART,
) -> Exchange:
    config = HttpConfig(model=MODEL, max_upload_bytes=max_bytes)
    app = create_app(services(no_jobs(transcriber), transcriber, uploads, config=config))
    return Exchange(app, ROUTE, headers, body)


@pytest.mark.parametrize(
    "name",
    ['fähre 日本語 & "quote".wav', "../../etc/passwd", "a;b=c.wav", "C:\\music\\a.wav", "x" * 1000],
)
def test_odd_names(client: TestClient, uploads: FakeUploads, name: str) -> None:
    answer = client.post(ROUTE, data={"model": "whisper-1"}, files={"file": (name, b"RIFF")})
    assert answer.status_code == 200
    assert uploads.saved[0][1] == 4


def test_a_part_without_a_file_name(client: TestClient, uploads: FakeUploads) -> None:
    body = HEAD.replace(b'; filename="a.wav"', b"") + TAIL
    answer = client.post(ROUTE, content=body, headers=MULTIPART)
    assert answer.status_code == 200
    assert uploads.saved == [("recording", 0)]


def test_fields_may_follow_the_file(client: TestClient, transcriber: FakeTranscriber) -> None:
    field = b'\r\n--cut\r\nContent-Disposition: form-data; name="language"\r\n\r\nfr'
    answer = client.post(ROUTE, content=HEAD + b"RIFF" + field + TAIL, headers=MULTIPART)
    assert answer.status_code == 200
    assert transcriber.requests[0].language == "fr"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"RIFF", "", 415),
        (HEAD + TAIL, "multipart/form-data", 400),
        (HEAD + b"RIFF", MULTIPART["content-type"], 400),
        (b"", MULTIPART["content-type"], 400),
        (b"not a form at all", MULTIPART["content-type"], 400),
        (b"--cut\r\n\r\nnameless" + TAIL, MULTIPART["content-type"], 400),
        (HEAD + b"RIFF\r\n" + HEAD + b"RIFF" + TAIL, MULTIPART["content-type"], 400),
    ],
)
def test_damaged_forms(
    client: TestClient, uploads: FakeUploads, body: bytes, kind: str, status: int
) -> None:
    answer = client.post(ROUTE, content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert not uploads.kept


@pytest.mark.parametrize("cut", range(0, len(HEAD + TAIL), 7))
async def test_chunks_may_end_anywhere(cut: int) -> None:
    uploads = FakeUploads()
    whole = HEAD + b"RIFF" + TAIL

    async def body() -> AsyncIterator[bytes]:
        yield whole[:cut]
        yield whole[cut:]

    request = exchange(FakeTranscriber(), uploads, body())
    await request.run()
    assert request.status == 200
    assert uploads.saved == [("a.wav", 4)]


def test_the_limit_by_declared_length(make_client: MakeClient, uploads: FakeUploads) -> None:
    client = make_client(HttpConfig(model=MODEL, max_upload_bytes=10))
    headers = MULTIPART | {"content-length": str(2**30)}
    answer = client.post(ROUTE, content=HEAD, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "recording_too_large"
    assert not uploads.saved


async def test_the_limit_while_reading() -> None:
    uploads = FakeUploads()
    request = exchange(FakeTranscriber(), uploads, upload(2**30), max_bytes=2**20)
    await request.run()
    assert request.status == 413
    assert "1048576 bytes" in json.loads(request.answer)["error"]["message"]
    assert request.received <= 2**20 + 2**17
    assert not uploads.saved


async def test_a_recording_of_exactly_the_limit() -> None:
    uploads = FakeUploads()
    request = exchange(FakeTranscriber(), uploads, upload(2**20), max_bytes=2**20)
    await request.run()
    assert request.status == 200
    assert uploads.saved == [("a.wav", 2**20)]


@pytest.mark.parametrize("route", [ROUTE, "/v1/audio/translations", "/v1/jobs"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_trailing_slash_carries_a_large_recording_too(
    client: TestClient, uploads: FakeUploads, route: str, declared: bool
) -> None:
    """Larger than what any other route takes, and without a redirect: nobody uploads twice."""
    name = b"task" if route == "/v1/jobs" else b"model"
    value = b"translate" if route == "/v1/jobs" else b"whisper-1"
    head = HEAD.replace(b'"model"', b'"%s"' % name).replace(b"whisper-1", value)
    body = head + b"x" * 3 * 2**20 + TAIL
    answer = client.post(
        f"{route}/",
        content=body if declared else iter([body]),
        headers=MULTIPART,
        follow_redirects=False,
    )
    assert answer.status_code == (202 if route == "/v1/jobs" else 200)
    assert uploads.saved == [("a.wav", 3 * 2**20)]


def test_the_root_keeps_its_slash_and_other_routes_lose_theirs(client: TestClient) -> None:
    assert client.post("/", json={"url": "https://example.com/a.mp3"}).status_code == 200
    for path in ("/tasks/", "/v1/models/", "/v1/jobs/", "/health/"):
        assert client.get(path, follow_redirects=False).status_code == 200
    assert client.post("/v1/jobs/", content=b" " * (2**20 + 1)).status_code == 415


async def test_a_huge_field_is_refused() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'--cut\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'
        for _ in range(1000):
            yield b"x" * 2**16

    request = exchange(FakeTranscriber(), FakeUploads(), body())
    await request.run()
    assert request.status == 413
    assert request.received < 2**25


async def test_memory_holds_a_chunk_and_the_store_the_file(tmp_path: Path) -> None:
    store = BlobStore(f"file://{tmp_path}")
    seen: list[int] = []

    class Looking(FakeTranscriber):
        async def run(self, request):  # type: ignore[no-untyped-def]
            assert isinstance(request.source, BlobSource)
            seen.extend(path.stat().st_size for path in tmp_path.iterdir())
            return await super().run(request)

    app = create_app(services(no_jobs(), Looking(), store))
    request = Exchange(app, ROUTE, MULTIPART, upload(64 * 2**20))
    tracemalloc.start()
    await request.run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert request.status == 200
    assert seen == [64 * 2**20]
    assert peak < 8 * 2**20
    assert not list(tmp_path.iterdir())


async def test_a_store_without_room(uploads: FakeUploads) -> None:
    uploads.error = Unavailable("The upload could not be stored.", 30)
    request = exchange(FakeTranscriber(), uploads, upload(10))
    await request.run()
    assert request.status == 503


@pytest.mark.parametrize("how", ["disconnect", "cancel"])
async def test_a_client_who_leaves_during_the_upload(tmp_path: Path, how: str) -> None:
    store = BlobStore(f"file://{tmp_path}")
    transcriber = FakeTranscriber()
    app = create_app(services(no_jobs(), transcriber, store))
    half, more = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield HEAD + b"x" * 2**16
        half.set()
        await more.wait()
        yield b"x"

    request = Exchange(app, ROUTE, MULTIPART, body())
    running = asyncio.create_task(request.run())
    await half.wait()
    assert len(list(tmp_path.iterdir())) == 1
    if how == "disconnect":
        request.leave()
        more.set()
    else:
        running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not list(tmp_path.iterdir())
    assert not transcriber.requests


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", ["disconnect", "cancel"])
async def test_a_client_who_leaves_stops_the_work(how: str, stream: bool) -> None:
    """A disconnect is uvicorn's way to say so, a cancelled task is Serve's."""
    uploads = FakeUploads()
    transcriber = FakeTranscriber(forever=True)
    field = b'\r\n--cut\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue'
    body = upload(10, tail=(field if stream else b"") + TAIL)
    request = exchange(transcriber, uploads, body)
    running = asyncio.create_task(request.run())
    await transcriber.started.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not transcriber.stopped.is_set()
    assert uploads.kept
    if how == "disconnect":
        request.leave()
        await running
    else:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert transcriber.stopped.is_set()
    assert not uploads.kept


async def test_a_client_of_the_seed_dialect_who_leaves(
    jobs: JobFrontend, transcriber: FakeTranscriber
) -> None:
    transcriber.forever = True
    app = create_app(services(jobs, transcriber))

    async def body() -> AsyncIterator[bytes]:
        yield b'{"url": "https://example.com/a.mp3"}'

    request = Exchange(app, "/", {"content-type": "application/json"}, body())
    async with jobs.serving():
        running = asyncio.create_task(request.run())
        await transcriber.started.wait()
        request.leave()
        await running
    assert request.status == 499
    assert transcriber.stopped.is_set()
