"""Keys: who gets in, and who may do what."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from configs.keys import NamedKey, Scope, digest, write_keys
from serve_app.http.gate import keyring
from serve_app.http.gate.auth import Auth, caller
from serve_app.http.gate.keyring import KeyRing
from serve_app.http.services import HttpConfig
from tests.contract.conftest import MakeClient
from tests.fakes.services import MODEL, FakeTranscriber, FakeUploads

KEY = "café".encode()

CLOSED = [
    ("POST", "/"),
    ("GET", "/tasks"),
    ("GET", "/v1/models"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/health"),
    ("OPTIONS", "/v1/models"),
    ("GET", "/nowhere"),
    ("GET", "/docs%0A"),
    ("GET", "/assets"),
]

OPEN = [
    ("GET", "/"),
    ("GET", "/assets/app.js"),
    ("GET", "/docs"),
    ("GET", "/docs/assets/swagger-ui.css"),
    ("GET", "/openapi.json"),
    ("GET", "/health"),
    ("HEAD", "/health"),
    ("GET", "/ready"),
]


@pytest.fixture
def locked(make_client: MakeClient) -> TestClient:
    return make_client(HttpConfig(model=MODEL, admin_key="café"))


def keys(file: Path, **scopes: set[Scope]) -> Path:
    """A file of keys, each of which is called as it reads."""
    found = {n: NamedKey(sha256=digest(n), scopes=frozenset(s)) for n, s in scopes.items()}
    write_keys(file, found)
    return file


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_path_needs_the_key(locked: TestClient, method: str, path: str) -> None:
    for headers in ({}, {"x-admin-api-key": "wrong"}, {"x-admin-api-key": ""}):
        answer = locked.request(method, path, headers=headers)
        assert answer.status_code == 401
        if path.startswith("/v1"):
            error = answer.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert error["code"] == "invalid_api_key"
        else:
            assert answer.json() == {"detail": "Unauthorized"}


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_the_key_opens_it(locked: TestClient, method: str, path: str) -> None:
    for headers in ({b"x-admin-api-key": KEY}, {b"authorization": b"bearer " + KEY}):
        assert locked.request(method, path, headers=headers).status_code != 401


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_what_a_browser_and_a_load_balancer_ask_needs_none(
    locked: TestClient, method: str, path: str
) -> None:
    assert locked.request(method, path).status_code != 401


def test_a_preflight_needs_none(locked: TestClient) -> None:
    asked = {"origin": "https://example.com", "access-control-request-method": "POST"}
    assert locked.options("/v1/audio/transcriptions", headers=asked).status_code != 401


@pytest.mark.parametrize("wrong", [b"Bearer wrong", b"Bearer", b"Basic " + KEY])
def test_what_is_no_bearer_token(locked: TestClient, wrong: bytes) -> None:
    assert locked.get("/v1/models", headers={b"authorization": wrong}).status_code == 401


def test_an_empty_key_has_to_be_sent(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, admin_key=""))
    assert client.get("/tasks").status_code == 401
    assert client.get("/tasks", headers={"x-admin-api-key": "x"}).status_code == 401
    assert client.get("/tasks", headers={"x-admin-api-key": ""}).status_code == 200


def test_no_key_is_needed_where_none_is_set(client: TestClient) -> None:
    assert client.get("/tasks").status_code == 200


def test_a_stranger_is_refused_before_the_body_is_looked_at(
    locked: TestClient, transcriber: FakeTranscriber, uploads: FakeUploads
) -> None:
    answer = locked.post("/", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 401
    files = {"file": ("a.wav", b"RIFF")}
    data = {"model": "whisper-1"}
    assert locked.post("/v1/audio/transcriptions", data=data, files=files).status_code == 401
    assert not transcriber.requests
    assert not uploads.saved


# ------------------------------------------------------------------------------- scopes


@pytest.fixture
def scoped(make_client: MakeClient, tmp_path: Path) -> TestClient:
    file = keys(tmp_path / "keys", speak={"transcribe"}, work={"jobs"}, boss={"admin"})
    return make_client(HttpConfig(model=MODEL, keys_file=file))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/models", {"speak", "work", "boss"}),
        ("GET", "/tasks", {"speak", "work", "boss"}),
        ("GET", "/v1/speakers", {"speak", "work", "boss"}),
        ("DELETE", "/v1/speakers/x", {"speak", "work", "boss"}),
        ("GET", "/v1/jobs", {"work", "boss"}),
        ("GET", "/v1/jobs%0A", {"work", "boss"}),
        ("GET", "/v1/jobs/x/events", {"work", "boss"}),
        ("POST", "/v1/audio/transcriptions", {"speak", "boss"}),
        ("POST", "/asr", {"speak", "boss"}),
    ],
)
def test_a_path_asks_for_a_scope(
    scoped: TestClient, method: str, path: str, allowed: set[str]
) -> None:
    assert scoped.request(method, path).status_code == 401
    for key in ("speak", "work", "boss"):
        answer = scoped.request(method, path, headers=bearer(key))
        assert (answer.status_code != 403) == (key in allowed)
        assert answer.status_code != 401


def test_the_original_asks_for_the_scope_of_what_the_body_wants(scoped: TestClient) -> None:
    now = {"url": "https://example.com/a.mp3"}
    later = now | {"is_async": True, "webhook": {"url": "https://example.com/done"}}
    answers = {
        (key, body is later): scoped.post("/", json=body, headers=bearer(key)).status_code
        for key in ("speak", "work")
        for body in (now, later)
    }
    assert answers == {
        ("speak", False): 200,
        ("speak", True): 403,
        ("work", False): 403,
        ("work", True): 200,
    }


def test_a_key_lacks_a_scope_in_the_dialects_words(scoped: TestClient) -> None:
    error = scoped.get("/v1/jobs", headers=bearer("speak")).json()["error"]
    assert error["code"] == "permission_denied"
    assert "jobs" in error["message"]


# ------------------------------------------------------------------- jobs belong to a key


@pytest.fixture
def shared(make_client: MakeClient, tmp_path: Path) -> TestClient:
    file = keys(tmp_path / "keys", ann={"jobs"}, bob={"jobs"}, boss={"admin"})
    return make_client(HttpConfig(model=MODEL, keys_file=file, admin_key="root"))


JOB: dict[str, Any] = {"url": "https://example.com/a.mp3"}
HOOK = {"webhook": {"url": "https://example.com/done?secret"}}


def test_a_job_is_its_keys_and_the_admins(shared: TestClient) -> None:
    job = shared.post("/v1/jobs", json=JOB | HOOK, headers=bearer("ann")).json()["id"]
    path = f"/v1/jobs/{job}"
    asked = [
        ("GET", path, 200),
        ("GET", f"{path}/deliveries", 200),
        ("GET", f"{path}/transcript", 409),
        ("GET", f"{path}/peaks", 409),
        ("POST", f"{path}/deliveries/none/redeliver", 404),
        ("DELETE", path, 409),
    ]
    for method, each, status in asked:
        for key in ("ann", "boss", "root"):
            assert shared.request(method, each, headers=bearer(key)).status_code == status
        assert shared.request(method, each, headers=bearer("bob")).status_code == 404
    assert shared.get(f"{path}/events", headers=bearer("bob")).status_code == 404
    assert shared.post(f"{path}/cancel", headers=bearer("bob")).status_code == 404
    assert shared.post(f"{path}/cancel", headers=bearer("ann")).status_code == 200
    assert shared.delete(path, headers=bearer("bob")).status_code == 404
    assert shared.delete(path, headers=bearer("ann")).status_code == 204


def test_a_recording_is_its_keys_and_the_admins(shared: TestClient) -> None:
    files = {"file": ("a.wav", b"RIFF")}
    job = shared.post("/v1/jobs", files=files, headers=bearer("ann")).json()["id"]
    path = f"/v1/jobs/{job}/recording"
    for key in ("ann", "boss", "root"):
        assert shared.get(path, headers=bearer(key)).content == b"RIFF"
        assert shared.get(path, headers={"cookie": f"rayscribe-key={key}"}).content == b"RIFF"
    assert shared.get(path, headers=bearer("bob")).status_code == 404
    assert shared.get(path, headers={"cookie": "rayscribe-key=bob"}).status_code == 404


def test_a_list_has_a_keys_own(shared: TestClient) -> None:
    made = {
        key: shared.post("/v1/jobs", json=JOB, headers=bearer(key)).json()
        for key in ("ann", "bob", "root")
    }

    def listed(key: str) -> set[str]:
        found = shared.get("/v1/jobs", headers=bearer(key)).json()["data"]
        tasks = shared.get("/tasks", headers=bearer(key)).json()["tasks"]
        assert sorted(tasks) == sorted(job["task_id"] for job in found)
        return {job["id"] for job in found}

    assert listed("ann") == {made["ann"]["id"]}
    assert listed("bob") == {made["bob"]["id"]}
    assert listed("boss") == listed("root") == {job["id"] for job in made.values()}


def test_a_task_and_an_idempotency_key_are_the_keys_own(shared: TestClient) -> None:
    task = JOB | HOOK | {"is_async": True, "managed_task_id": "nightly"}
    other = task | {"url": "https://example.com/b.mp3"}
    assert shared.post("/", json=task, headers=bearer("ann")).status_code == 200
    assert shared.post("/", json=other, headers=bearer("ann")).status_code == 409
    assert shared.get("/status/nightly", headers=bearer("bob")).status_code == 404
    assert shared.delete("/cancel/nightly", headers=bearer("bob")).status_code == 404
    assert shared.post("/", json=other, headers=bearer("bob")).status_code == 200
    assert shared.delete("/cancel/nightly", headers=bearer("bob")).status_code == 200
    assert shared.get("/status/nightly", headers=bearer("ann")).json() == {"status": "processing"}

    def submit(key: str) -> str:
        headers = bearer(key) | {"Idempotency-Key": "1"}
        return str(shared.post("/v1/jobs", json=JOB, headers=headers).json()["id"])

    assert submit("ann") == submit("ann")
    assert submit("ann") != submit("bob")


# --------------------------------------------------------------------- the file of keys


def test_keys_change_without_a_restart(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_LOOK_EVERY_S", 0)
    file = keys(tmp_path / "keys", old={"transcribe"})
    client = make_client(HttpConfig(model=MODEL, keys_file=file))

    def status(key: str) -> int:
        return client.get("/v1/models", headers=bearer(key)).status_code

    assert (status("old"), status("new")) == (200, 401)
    keys(file, new={"transcribe"})
    assert (status("old"), status("new")) == (401, 200)
    file.write_text("new: [")  # a slip of the pen locks nobody out
    os.utime(file, ns=(1, 1))
    assert (status("old"), status("new")) == (401, 200)


def test_a_service_with_an_empty_file_is_closed(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(HttpConfig(model=MODEL, keys_file=keys(tmp_path / "keys")))
    assert client.get("/v1/models").status_code == 401


# ------------------------------------------------------------------------- a WebSocket


@pytest.fixture
def live() -> Iterator[TestClient]:
    app = FastAPI()
    app.add_middleware(Auth, keys=KeyRing("open-sesame", None))

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        assert caller(socket.scope).may("admin")
        await socket.accept(subprotocol="realtime" if socket.scope["subprotocols"] else None)
        await socket.send_text("in")
        await socket.close()

    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        (bearer("open-sesame"), []),
        ({"x-admin-api-key": "open-sesame"}, []),
        ({}, ["realtime", "openai-insecure-api-key.open-sesame", "openai-beta.realtime-v1"]),
    ],
)
def test_a_websocket_with_a_key(
    live: TestClient, headers: dict[str, str], subprotocols: list[str]
) -> None:
    with live.websocket_connect("/v1/realtime", headers=headers, subprotocols=subprotocols) as one:
        assert one.receive_text() == "in"


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [({}, []), (bearer("wrong"), []), ({}, ["realtime", "openai-insecure-api-key.wrong"])],
)
def test_a_websocket_without_one_is_never_accepted(
    live: TestClient, headers: dict[str, str], subprotocols: list[str]
) -> None:
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)) as refused,
        live.websocket_connect("/v1/realtime", headers=headers, subprotocols=subprotocols),
    ):
        pass
    assert isinstance(refused.value, WebSocketDisconnect)
    assert refused.value.code == 1008
