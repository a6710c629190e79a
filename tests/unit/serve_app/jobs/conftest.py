from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from serve_app.blobs import BlobStore
from serve_app.jobs.database import Database
from serve_app.jobs.leases import Leases
from serve_app.jobs.outbox import Outbox
from serve_app.jobs.store import JobStore
from tests.fakes.postgres import drop_database, fresh_database, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address of an empty database, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new folder/jobs.sqlite"
        return
    server: sa.URL = request.getfixturevalue("postgres")
    url = await fresh_database(server)
    yield url
    await drop_database(server, url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


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
