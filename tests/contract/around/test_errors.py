"""Errors outside /v1, ids of requests, health."""

import logging

import pytest
from starlette.testclient import TestClient

from interchange.errors import (
    QueueFull,
    RecordingTooLong,
    SourceRefused,
    Unavailable,
)
from serve_app.http.app import MAX_BODY_BYTES
from tests.contract.conftest import MakeClient
from tests.fakes.services import FakeReadiness, FakeTranscriber

JOB = {"url": "https://example.com/a.mp3"}


@pytest.mark.parametrize(
    "error",
    [
        SourceRefused("The server at example.com answered 404."),
        RecordingTooLong("The recording is longer than 12 h."),
        QueueFull("Too much audio waits.", 9),
        Unavailable("No replica can answer.", 4),
    ],
)
def test_our_errors(
    client: TestClient, transcriber: FakeTranscriber, error: SourceRefused | QueueFull
) -> None:
    transcriber.error = error
    answer = client.post("/", json=JOB)
    assert answer.status_code == error.status
    assert answer.json() == {"detail": error.message}
    retry_after = getattr(error, "retry_after", None)
    assert answer.headers.get("retry-after") == (None if retry_after is None else str(retry_after))


def test_an_unexpected_error_names_the_request_and_is_logged(
    client: TestClient, transcriber: FakeTranscriber, caplog: pytest.LogCaptureFixture
) -> None:
    transcriber.error = KeyError("a secret")
    with caplog.at_level(logging.ERROR, "ray.serve"):
        answer = client.post("/", json=JOB)
    assert answer.status_code == 500
    request_id = answer.headers["x-request-id"]
    assert request_id in answer.json()["detail"]
    assert "secret" not in answer.text
    (record,) = caplog.records
    assert request_id in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)


def test_a_request_keeps_the_id_it_came_with(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    transcriber.error = KeyError()
    answer = client.post("/", json=JOB, headers={"x-request-id": "abc-1"})
    assert "abc-1" in answer.json()["detail"]
    # Serve's proxy, or whoever sent it, sets the header of the answer.
    assert "x-request-id" not in answer.headers


def test_an_id_that_would_spoil_a_log_is_replaced(client: TestClient) -> None:
    answer = client.get("/health", headers={"x-request-id": "a b" * 100})
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/health", 405)])
def test_the_frameworks_errors_have_the_dialects_shapes(
    client: TestClient, path: str, status: int
) -> None:
    answer = client.post(path)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    answer = client.post("/v1/nowhere" if status == 404 else "/v1/models")
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_health(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_ready(make_client: MakeClient) -> None:
    answer = make_client(readiness=FakeReadiness({"AudioLoader": True})).get("/ready")
    assert answer.status_code == 200
    assert answer.json()["stages"] == {"AudioLoader": True}
    state = {"AudioLoader": True, "SpeechRecognizer": False}
    answer = make_client(readiness=FakeReadiness(state)).get("/ready")
    assert answer.status_code == 503
    assert (answer.json()["status"], answer.json()["stages"]) == ("not ready", state)


def test_a_large_body_is_refused_unread(client: TestClient) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    answer = client.post("/", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert str(MAX_BODY_BYTES) in answer.json()["detail"]


def test_a_large_body_of_unknown_length_is_refused_while_read(client: TestClient) -> None:
    sent = 0

    def chunks() -> object:
        nonlocal sent
        for _ in range(100):
            sent += 2**16
            yield b" " * 2**16

    answer = client.post("/", content=chunks(), headers={"content-type": "application/json"})  # type: ignore[arg-type]
    assert answer.status_code == 413
    assert str(MAX_BODY_BYTES) in answer.json()["detail"]
