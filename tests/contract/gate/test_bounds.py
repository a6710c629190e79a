"""Bodies that no client sends: each is a 4xx, and none is ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from serve_app.http.app import MAX_BODY_BYTES, create_app
from serve_app.http.around.json_text import BadJson, parse_json
from serve_app.http.gate import bounds
from serve_app.http.intake.form_reader import FIELD_BYTES
from serve_app.http.services import HttpConfig
from tests.contract.conftest import MakeClient
from tests.contract.intake.test_uploads import MULTIPART, ROUTE, no_jobs
from tests.fakes.services import MODEL, FakeTranscriber, FakeUploads, services
from tests.support.asgi import Exchange
from tests.support.hostile import DEEP, FORMS, TEXTS, URL, part

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("path", [ROUTE, "/asr", "/v1/jobs"])
def test_forms(make_client: MakeClient, uploads: FakeUploads, name: str, path: str) -> None:
    client = make_client(HttpConfig(model=MODEL, max_upload_bytes=2**20))
    kind, body = FORMS[name]
    answer = client.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code in (400, 413, 415)
    assert not uploads.kept


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
    for path, most in (("/", MAX_BODY_BYTES), ("/v1/jobs", FIELD_BYTES), (ROUTE, FIELD_BYTES)):
        body = b'{"url": "' + b"x" * most + b'"}'
        assert client.post(path, content=body, headers=JSON).status_code == 413


@pytest.mark.parametrize("sign", ["[", "[],", '"', "\\\\", "\\u0041"])
def test_millions_of_signs_are_refused_before_they_are_told_apart(sign: str) -> None:
    with pytest.raises(BadJson, match="more than"):
        parse_json(f'{{"a": "{sign * 10**6}')


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
