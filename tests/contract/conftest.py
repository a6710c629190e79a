from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from tests.fakes.services import FakeReadiness, FakeTranscriber, FakeUploads, services

MakeClient = Callable[..., TestClient]


@pytest.fixture
def transcriber() -> FakeTranscriber:
    return FakeTranscriber()


@pytest.fixture
def uploads() -> FakeUploads:
    return FakeUploads()


@pytest.fixture
def make_client(transcriber: FakeTranscriber, uploads: FakeUploads) -> MakeClient:
    """Builds a client of an app over the fakes, with the configuration of the test's choice."""

    def make(
        config: HttpConfig | None = None, readiness: FakeReadiness | None = None
    ) -> TestClient:
        app = create_app(services(transcriber, uploads, readiness, config))
        return TestClient(app)

    return make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()
