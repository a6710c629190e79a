"""Recordings for which there is no room are refused before they are stored."""

from contextlib import suppress

import pytest
from starlette.testclient import TestClient

from interchange.errors import QueueFull
from serve_app.http.app import create_app
from serve_app.http.intake import watch
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.transcription.admission import Admission
from tests.contract.intake.test_uploads import HEAD, MULTIPART, ROUTE
from tests.fakes.services import MODEL, FakeReadiness, FakeTranscriber, FakeUploads, services

FILES = {"file": ("a.wav", b"RIFF")}
FORM = {"model": "whisper-1"}
SEED = {"url": "https://example.com/a.mp3"}


@pytest.fixture
def admission() -> Admission:
    return Admission(30, 10)


@pytest.fixture
def client(jobs: JobFrontend, uploads: FakeUploads, admission: Admission) -> TestClient:
    given = services(jobs, uploads=uploads, admission=admission, config=HttpConfig(model=MODEL))
    return TestClient(create_app(given))


def fill(admission: Admission) -> None:
    """Until neither a clip nor a recording of unknown length is let in."""
    for seconds in (60, 5):
        with suppress(QueueFull):
            while True:
                admission.enter(seconds)


def test_every_route_that_waits_is_refused_with_the_time_to_come_again(
    client: TestClient, admission: Admission, uploads: FakeUploads
) -> None:
    fill(admission)
    with client:
        refused = [
            client.post(ROUTE, data=FORM, files=FILES),
            client.post(ROUTE, data=FORM | {"stream": "true"}, files=FILES),
            client.post(ROUTE, data=FORM | {"url": SEED["url"]}),
            client.post("/asr", files={"audio_file": ("a.wav", b"RIFF")}),
            client.post("/", json=SEED),
        ]
        kept = client.post("/v1/jobs", json=SEED)
    for answer in refused:
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
    assert kept.status_code == 202  # a job waits as long as it takes
    assert not uploads.kept


def test_the_beginning_of_the_file_is_enough_to_refuse(
    client: TestClient, admission: Admission, uploads: FakeUploads
) -> None:
    fill(admission)
    with client:
        answer = client.post(ROUTE, content=HEAD + b"x" * 100, headers=MULTIPART)
    assert answer.status_code == 429  # although the form never ended
    assert not uploads.saved


def test_a_place_is_left_whatever_becomes_of_the_request(
    client: TestClient, admission: Admission
) -> None:
    with client:
        assert client.post(ROUTE, data=FORM, files=FILES).status_code == 200
        streamed = client.post(ROUTE, data=FORM | {"stream": "true"}, files=FILES)
        assert streamed.text.endswith("data: [DONE]\n\n")
        assert client.post("/", json=SEED).status_code == 200
        assert client.post(ROUTE, data=FORM | {"temperature": "9"}, files=FILES).is_error
        assert client.post(ROUTE, content=HEAD + b"x", headers=MULTIPART).status_code == 400
    assert admission.waiting_s == 0


def test_a_stage_that_stays_down_is_a_503(
    jobs: JobFrontend, transcriber: FakeTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0)
    readiness = FakeReadiness({"AudioLoader": True, "SpeechRecognizer": False})
    with TestClient(create_app(services(jobs, transcriber, readiness=readiness))) as client:
        # It may be about to be replaced.
        assert client.post(ROUTE, data=FORM, files=FILES).status_code == 200
        monkeypatch.setattr(watch, "PATIENCE_S", 0)
        answer = client.post(ROUTE, data=FORM, files=FILES)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "SpeechRecognizer" in answer.text
        readiness.state = {"AudioLoader": True, "SpeechRecognizer": True}
        client.post(ROUTE, data=FORM, files=FILES)
        assert client.post(ROUTE, data=FORM, files=FILES).status_code == 200
