"""Quotas of keys: what is too much is refused before it is read, and nobody else is."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from configs.keys import NamedKey, digest, write_keys
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.transcription.admission import Admission
from tests.contract.intake.test_uploads import ROUTE
from tests.fakes.services import MODEL, FakeUploads, services

FILES = {"file": ("a.wav", b"RIFF")}
FORM = {"model": "whisper-1"}
SEED = {"url": "https://example.com/a.mp3"}


@pytest.fixture
def admission() -> Admission:
    return Admission(30, 10)


@pytest.fixture
def client(
    jobs: JobFrontend, uploads: FakeUploads, admission: Admission, tmp_path: Path
) -> TestClient:
    scopes = frozenset({"transcribe", "jobs"})
    keys = {
        "phone": NamedKey(sha256=digest("phone"), scopes=scopes, hours_a_day=1, waiting_jobs=2),
        "other": NamedKey(sha256=digest("other"), scopes=scopes),
    }
    write_keys(tmp_path / "keys", keys)
    config = HttpConfig(model=MODEL, keys_file=tmp_path / "keys")
    given = services(jobs, uploads=uploads, admission=admission, config=config)
    return TestClient(create_app(given))


def by(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_key_that_had_its_hours_is_refused_by_every_route(
    client: TestClient, admission: Admission, uploads: FakeUploads
) -> None:
    admission.usage.add("phone", 3599)
    with client:
        assert client.post(ROUTE, data=FORM, files=FILES, headers=by("phone")).status_code == 200
        admission.usage.add("phone", 1)
        refused = [
            client.post(ROUTE, data=FORM, files=FILES, headers=by("phone")),
            client.post("/asr", files={"audio_file": ("a.wav", b"RIFF")}, headers=by("phone")),
            client.post("/", json=SEED, headers=by("phone")),
            client.post("/v1/jobs", json=SEED, headers=by("phone")),
            client.post("/v1/jobs", data={}, files=FILES, headers=by("phone")),
        ]
        with client.websocket_connect("/v1/realtime", headers=by("phone")) as socket:
            assert socket.receive_json()["error"]["code"] == "quota_exceeded"
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()
            assert closed.value.code == 1013
            assert "1.0 h" in closed.value.reason
        assert client.post(ROUTE, data=FORM, files=FILES, headers=by("other")).status_code == 200
    for answer in refused:
        assert answer.status_code == 429
        assert "1.0 h of audio transcribed within a day" in answer.text
        assert int(answer.headers["retry-after"]) > 0
    assert refused[0].json()["error"]["code"] == "quota_exceeded"
    assert not uploads.kept


def test_a_key_has_so_many_jobs_at_once(client: TestClient) -> None:
    with client:
        first, second, third = (
            client.post("/v1/jobs", json=SEED, headers=by("phone")) for _ in range(3)
        )
        assert (first.status_code, second.status_code, third.status_code) == (202, 202, 429)
        assert "2 jobs of this key have not ended" in third.json()["error"]["message"]
        hook = {"is_async": True, "webhook": {"url": "https://example.com/hook"}}
        seed = client.post("/", json=SEED | hook, headers=by("phone"))
        assert seed.status_code == 429
        assert client.post("/v1/jobs", json=SEED, headers=by("other")).status_code == 202
        client.post(f"/v1/jobs/{first.json()['id']}/cancel", headers=by("phone"))
        assert client.post("/v1/jobs", json=SEED, headers=by("phone")).status_code == 202
