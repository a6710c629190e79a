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
from serve_app.jobs.store.profiles import ProfileStore
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
def database(migrated: Path, tmp_path: Path) -> Database:
    """An empty store. Whoever serves its jobs closes it."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    shutil.copy(migrated, folder)
    return Database(f"sqlite:///{folder}/jobs.sqlite")


@pytest.fixture
def jobs(transcriber: FakeTranscriber, database: Database, tmp_path: Path) -> JobFrontend:
    """Real jobs, whose attended requests the fake transcriber serves. No runner takes others."""
    return job_frontend(transcriber, tmp_path / "jobs", database=database)


@pytest.fixture
def make_client(
    jobs: JobFrontend,
    database: Database,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    voices: FakeVoices,
    remote: FakeRelay,
) -> Iterator[MakeClient]:
    """Builds a client of an app over the fakes, with the configuration of the test's choice."""
    with ExitStack() as stack:

        def make(
            config: HttpConfig | None = None,
            readiness: FakeReadiness | None = None,
            *,
            keeps_voices: bool = True,
        ) -> TestClient:
            given = services(
                jobs,
                transcriber,
                uploads,
                readiness,
                config,
                voices=voices,
                remote=remote,
                profiles=ProfileStore(database) if keeps_voices else None,
            )
            return stack.enter_context(TestClient(create_app(given)))

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()
