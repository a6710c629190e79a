"""Requests are counted by surface and status, with labels that no stranger can choose."""

import pytest
from starlette.testclient import TestClient

from interchange import measures
from serve_app.http.around.measured import SURFACES, surface
from tests.support.figures import Figures


@pytest.mark.parametrize(
    ("method", "path", "whose"),
    [
        ("POST", "/v1/audio/transcriptions", "openai"),
        ("POST", "/v1/audio/transcriptions/", "openai"),
        ("GET", "/v1/jobs/abc/events", "jobs"),
        ("POST", "/asr", "asr"),
        ("POST", "/", "seed"),
        ("GET", "/", "other"),
        ("GET", "/status/a", "seed"),
        ("GET", "/ready", "health"),
        ("GET", "/wp-admin/\n", "other"),
        ("GET", "/v1/audiobooks", "other"),
    ],
)
def test_each_path_has_a_surface(method: str, path: str, whose: str) -> None:
    assert surface(method, path) == whose
    assert whose in SURFACES


def test_requests_are_counted(client: TestClient) -> None:
    with measures.heard_by(Figures()) as figures:
        client.get("/health")
        client.get("/nothing/of/the/kind")
        client.post("/v1/audio/transcriptions")
    assert figures.of(measures.REQUESTS, surface="health", status="200") == [1]
    assert figures.of(measures.REQUESTS, surface="other", status="404") == [1]
    assert figures.of(measures.REQUESTS, surface="openai") == [1]
