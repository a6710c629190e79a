"""Bodies that no client sends: each is a 4xx, and none is ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from serve_app.http.app import MAX_BODY_BYTES, create_app
from serve_app.http.gate import bounds
from serve_app.http.services import HttpConfig
from tests.contract.conftest import MakeClient
from tests.contract.intake.test_uploads import MULTIPART, ROUTE, no_jobs
from tests.fakes.services import MODEL, FakeTranscriber, FakeUploads, services
from tests.support.asgi import Exchange

JSON = {"content-type": "application/json"}
URL = "https://example.com/a.mp3"


def part(name: str, value: str = "") -> bytes:
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    return head.encode()


FORMS = {
    "15 MB of a&": ("application/x-www-form-urlencoded", b"a&" * 7_500_000),
    "many short fields": ("application/x-www-form-urlencoded", b"a&" * 100_000),
    "percents": ("application/x-www-form-urlencoded", b"a=" + b"%41" * 600_000),
    "a million empty parts": (MULTIPART["content-type"], part("a") * 1_000_000),
    "parts without a name": (MULTIPART["content-type"], b"--cut\r\n\r\n\r\n" * 1_000_000),
    "a boundary of 60 kB": (f"multipart/form-data; boundary={'b' * 60_000}", b"--b"),
    "a long name": (MULTIPART["content-type"], part("n" * 3000) + b"--cut--"),
    "fields of 17 MB": (MULTIPART["content-type"], part("a", "x" * 17 * 2**20) + b"--cut--"),
    "much behind its end": (MULTIPART["content-type"], part("a") + b"--cut--" + b"x" * 22 * 2**20),
    "long headers": (MULTIPART["content-type"], b"--cut\r\nX: " + b"x" * 100_000),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("path", [ROUTE, "/asr", "/v1/jobs"])
def test_forms(make_client: MakeClient, uploads: FakeUploads, name: str, path: str) -> None:
    client = make_client(HttpConfig(model=MODEL, max_upload_bytes=2**20))
    kind, body = FORMS[name]
    answer = client.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code in (400, 413, 415)
    assert not uploads.kept


DEEP = 100_000
TEXTS = {
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"url":' * DEEP,
    "a deep value": b'{"url": "https://example.com", "x": ' + b"[" * 99 + b"]" * 99 + b"}",
    "many values": b"[" + b"1," * 400_000 + b"1]",
    "half a character": json.dumps({"url": URL, "task": "\ud800"}).encode(),
    "half a character in a name": json.dumps({"url": URL, "\udfff": 1}).encode(),
    "half a character as bytes": b'{"url": "https://example.com/\xed\xa0\x80"}',
    "infinite": json.dumps({"url": URL, "batch_size": float("inf")}).encode(),
    "too large a number": b'{"url": "https://example.com", "batch_size": 1e999}',
    "a long number": b'{"url": "https://example.com", "batch_size": ' + b"9" * 5000 + b"}",
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "no object": b"7",
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("path", ["/", "/v1/jobs"])
def test_json(client: TestClient, transcriber: FakeTranscriber, name: str, path: str) -> None:
    answer = client.post(path, content=TEXTS[name], headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.json()
    assert not transcriber.requests


@pytest.mark.parametrize("field", ["metadata", "webhook", "chunking_strategy"])
@pytest.mark.parametrize("value", ["[" * DEEP, '{"a": "\\ud800"}', '{"a": 1e999}', '{"a": NaN}'])
def test_json_within_a_form(client: TestClient, field: str, value: str) -> None:
    path = ROUTE if field == "chunking_strategy" else "/v1/jobs"
    data = {"model": "whisper-1"} if field == "chunking_strategy" else {}
    if field == "chunking_strategy" and not value.startswith("{"):
        value = "{" + value
    files = {"file": ("a.wav", b"RIFF")}
    answer = client.post(path, data=data | {field: value}, files=files)
    assert answer.status_code in (400, 422)


def test_json_as_it_is_meant(client: TestClient, transcriber: FakeTranscriber) -> None:
    body: dict[str, Any] = {
        "url": "https://example.com/\U0001f600?[[{",
        "extra": [[{"a": [1.5e3]}]],
    }
    for content in (json.dumps(body), json.dumps(body, ensure_ascii=False)):
        assert client.post("/", content=content.encode(), headers=JSON).status_code == 200
    assert len(transcriber.requests) == 2


def test_json_is_small_on_every_path(client: TestClient) -> None:
    body = b'{"url": "' + b"x" * MAX_BODY_BYTES + b'"}'
    for path in ("/", "/v1/jobs", ROUTE):
        assert client.post(path, content=body, headers=JSON).status_code == 413


@pytest.mark.parametrize("path", ["/status/%00", "/v1/jobs/a%0Ab", "/docs%7F"])
def test_paths_with_control_characters_are_nowhere(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("seen", [f"{'1' * 5000}.1", "99999999999999999999.1", "1.", ".1", "²٠.1"])
def test_odd_positions_of_a_stream(client: TestClient, seen: str) -> None:
    job = client.post("/v1/jobs", json={"url": URL}).json()["id"]
    headers = {b"last-event-id": seen.encode()}
    assert client.get(f"/v1/jobs/{job}/events", headers=headers).status_code == 422


@pytest.mark.parametrize("cursor", ["W05hTiwgIlx1ZDgwMCJd", "WzEuMCwgIlx1ZDgwMCJd", "W1tbW1tbW1td"])
def test_odd_cursors(client: TestClient, cursor: str) -> None:
    assert client.get("/v1/jobs", params={"cursor": cursor}).status_code == 422


# ------------------------------------------------------------------------- slow bodies


async def trickle(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("path", "headers"),
    [(ROUTE, MULTIPART), ("/", JSON), ("/v1/jobs", MULTIPART), ("/asr", MULTIPART)],
)
async def test_a_body_that_trickles_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, uploads: FakeUploads, path: str, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(bounds, "GRACE_S", 0.01)
    app = create_app(services(no_jobs(), uploads=uploads))
    slow = Exchange(app, path, headers, trickle(part("file")))
    await slow.run()
    assert slow.status == 408
    assert (b"connection", b"close") in slow.sent[0]["headers"]
    assert not uploads.kept


async def test_a_fast_beginning_does_not_allow_an_endless_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "SILENCE_S", 0.01)
    app = create_app(services(no_jobs()))
    slow = Exchange(app, ROUTE, MULTIPART, trickle(part("a", "x" * 2**20)))
    await slow.run()
    assert slow.status == 408
