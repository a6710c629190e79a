"""`ADMIN_KEY`: one key for every path."""

import pytest
from starlette.testclient import TestClient

from serve_app.http.services import HttpConfig
from tests.contract.conftest import MakeClient
from tests.fakes.services import MODEL, FakeTranscriber, FakeUploads

KEY = "café".encode()

PATHS = [
    ("POST", "/"),
    ("GET", "/docs"),
    ("GET", "/docs/assets/swagger-ui.css"),
    ("GET", "/openapi.json"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/v1/models"),
    ("POST", "/v1/audio/transcriptions"),
    ("GET", "/nowhere"),
]


@pytest.fixture
def locked(make_client: MakeClient) -> TestClient:
    return make_client(HttpConfig(model=MODEL, admin_key="café"))


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_path_needs_the_key(locked: TestClient, method: str, path: str) -> None:
    for headers in ({}, {"x-admin-api-key": "wrong"}, {"x-admin-api-key": ""}):
        answer = locked.request(method, path, headers=headers)
        assert answer.status_code == 401
        if path.startswith("/v1"):
            error = answer.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert error["code"] == "invalid_api_key"
        else:
            assert answer.json() == {"detail": "Unauthorized"}


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_key_opens_it(locked: TestClient, method: str, path: str) -> None:
    answer = locked.request(method, path, headers={b"x-admin-api-key": KEY})
    assert answer.status_code != 401


def test_a_bearer_token_opens_v1_only(locked: TestClient) -> None:
    headers = {b"authorization": b"bearer " + KEY}
    assert locked.get("/v1/models", headers=headers).status_code == 200
    assert locked.get("/health", headers=headers).status_code == 401
    for wrong in (b"Bearer wrong", b"Bearer", b"Basic " + KEY):
        assert locked.get("/v1/models", headers={b"authorization": wrong}).status_code == 401


def test_an_empty_key_has_to_be_sent(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, admin_key=""))
    assert client.get("/health").status_code == 401
    assert client.get("/health", headers={"x-admin-api-key": "x"}).status_code == 401
    assert client.get("/health", headers={"x-admin-api-key": ""}).status_code == 200


def test_no_key_is_needed_where_none_is_set(client: TestClient) -> None:
    assert client.get("/health").status_code == 200


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


def test_a_cookie_gives_a_recording_and_nothing_else(locked: TestClient) -> None:
    key = {b"x-admin-api-key": KEY}
    job = locked.post("/v1/jobs", files={"file": ("a.wav", b"RIFF")}, headers=key).json()
    path = f"/v1/jobs/{job['id']}"
    cookie = {"cookie": "other=1; rayscribe-key=caf%C3%A9"}
    assert locked.get(f"{path}/recording", headers=cookie).content == b"RIFF"
    assert (
        locked.get(f"{path}/recording", headers={"cookie": "rayscribe-key=no"}).status_code == 401
    )
    assert locked.get(f"{path}/recording").status_code == 401
    assert locked.get(path, headers=cookie).status_code == 401
    assert locked.delete(path, headers=cookie).status_code == 401
    assert locked.delete(f"{path}/recording", headers=cookie).status_code == 401


def test_the_page_is_open(locked: TestClient) -> None:
    for method in ("GET", "HEAD"):
        assert locked.request(method, "/").status_code == 200
        assert locked.request(method, "/assets/style.css").status_code == 200
