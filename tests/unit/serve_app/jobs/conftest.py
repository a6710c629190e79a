import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from interchange.files.blobs import BlobStore
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from serve_app.jobs.store.outbox import Outbox
from tests.fakes.postgres import drop_database, fresh_database, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: sa.URL, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A migrated store of either kind, to be copied: faster than to migrate one for each test."""
    path = tmp_path_factory.mktemp("template") / "jobs.sqlite"

    async def make() -> dict[str, str]:
        urls = {"sqlite": f"sqlite:///{path}", "postgresql": await fresh_database(postgres)}
        for url in urls.values():
            database = Database(url)
            await database.open()
            await database.close()
        return urls

    return asyncio.run(make())


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: sa.URL
) -> AsyncIterator[str]:
    """The address of an empty database, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new folder/jobs.sqlite"
        return
    url = await fresh_database(postgres)
    yield url
    await drop_database(postgres, url)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: sa.URL, migrated: dict[str, str]
) -> AsyncIterator[Database]:
    """An open store without jobs, of either kind."""
    template = migrated[request.param]
    if request.param == "sqlite":
        shutil.copy(str(sa.make_url(template).database), tmp_path / "jobs.sqlite")
        url = f"sqlite:///{tmp_path}/jobs.sqlite"
    else:
        url = await fresh_database(postgres, template)
    database = Database(url)
    await database.open()
    yield database
    await database.close()
    if request.param == "postgresql":
        await drop_database(postgres, url)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(f"file://{tmp_path}/blobs")


@pytest.fixture
def store(database: Database, blobs: BlobStore) -> JobStore:
    return JobStore(database, blobs, retention_s=1000)


@pytest.fixture
def leases(database: Database, blobs: BlobStore) -> Leases:
    return Leases(database, blobs, lease_s=1000, retention_s=1000, inline_bytes=100_000)


@pytest.fixture
def short_leases(database: Database, blobs: BlobStore) -> Leases:
    """Leases that are over as soon as they are given."""
    return Leases(database, blobs, lease_s=0, retention_s=1000, inline_bytes=100_000)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)
