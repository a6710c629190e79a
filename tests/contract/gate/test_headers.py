"""What answers tell a browser, and which pages may read them."""

import pytest
from starlette.testclient import TestClient

from interchange.errors import QueueFull
from serve_app.http.services import HttpConfig
from tests.contract.conftest import MakeClient
from tests.fakes.services import MODEL, FakeTranscriber

PAGE = "https://example.com"
ASKED = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
}


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/docs", "/nowhere", "/v1/jobs/x"])
def test_every_answer_has_them(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    if path != "/docs":
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_faults_have_them_too(client: TestClient, transcriber: FakeTranscriber) -> None:
    for error in (KeyError(), QueueFull("Later.", 9)):
        transcriber.error = error
        answer = client.post("/", json={"url": "https://example.com"})
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_no_other_page_may_read_answers(client: TestClient) -> None:
    answer = client.get("/v1/models", headers={"origin": PAGE})
    assert "access-control-allow-origin" not in answer.headers
    assert client.options("/v1/models", headers=ASKED).status_code == 405
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_pages_of_named_origins_may(make_client: MakeClient) -> None:
    config = HttpConfig(model=MODEL, admin_key="k", cors_origins=(PAGE,))
    client = make_client(config)
    allowed = client.options("/v1/models", headers=ASKED)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in allowed.headers
    answer = client.get("/v1/models", headers={"origin": PAGE})
    assert answer.status_code == 401  # and the page may read why
    assert answer.headers["access-control-allow-origin"] == PAGE
    other = client.options("/v1/models", headers=ASKED | {"origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers
