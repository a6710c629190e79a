import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.database import Database
from tests.fakes.services import (
    FakeReadiness,
    FakeRelay,
    FakeTranscriber,
    FakeUploads,
    FakeVoices,
    job_frontend,
    services,
)

MakeClient = Callable[..., TestClient]


@pytest.fixture
def transcriber() -> FakeTranscriber:
    return FakeTranscriber()


@pytest.fixture
def uploads() -> FakeUploads:
    return FakeUploads()


@pytest.fixture
def voices() -> FakeVoices:
    return FakeVoices()


@pytest.fixture
def remote() -> FakeRelay:
    return FakeRelay()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, to be copied: faster than to make one for each test."""
    path = tmp_path_factory.mktemp("store") / "jobs.sqlite"

    async def make() -> None:
        database = Database(f"sqlite:///{path}")
        await database.open()
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
def jobs(transcriber: FakeTranscriber, migrated: Path, tmp_path: Path) -> JobFrontend:
    """Real jobs, whose attended requests the fake transcriber serves. No runner takes others."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    shutil.copy(migrated, folder)
    return job_frontend(transcriber, folder)


@pytest.fixture
def make_client(
    jobs: JobFrontend,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    voices: FakeVoices,
    remote: FakeRelay,
) -> Iterator[MakeClient]:
    """Builds a client of an app over the fakes, with the configuration of the test's choice."""
    with ExitStack() as stack:

        def make(
            config: HttpConfig | None = None, readiness: FakeReadiness | None = None
        ) -> TestClient:
            given = services(
                jobs, transcriber, uploads, readiness, config, voices=voices, remote=remote
            )
            return stack.enter_context(TestClient(create_app(given)))

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()
