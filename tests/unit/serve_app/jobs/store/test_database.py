import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from interchange.errors import ServerError, Unavailable
from interchange.files.blobs import BlobStore
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.tables import metadata
from tests.fakes.postgres import drop_database, fresh_database
from tests.support.jobs import new_job


async def test_the_migrations_make_the_tables_that_the_code_knows(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert await database.read(differences) == []


@pytest.mark.slow
async def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from serve_app.jobs.store.database import Database\n"
        "async def main():\n"
        "    database = Database(sys.argv[1])\n"
        "    await database.open()\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    starts = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, database_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    for start in starts:
        _, complaint = await start.communicate()
        assert start.returncode == 0, complaint.decode()


async def test_a_store_of_a_newer_version_is_refused(database_url: str) -> None:
    first = Database(database_url)
    await first.open()
    future = sa.text("UPDATE alembic_version SET version_num = '9999'")
    await first.write(lambda c: c.execute(future))
    await first.close()
    later = Database(database_url)
    with pytest.raises(ServerError, match=r"newer version of Rayscribe .*'9999'.*upgrade"):
        await later.open()
    await later.close()


_BACK_TO_THE_FIRST = (
    "DROP TABLE stretches",
    "ALTER TABLE jobs ADD COLUMN turns TEXT",
    "DROP TABLE voice_profiles",
    "DROP INDEX jobs_of_key",
    "DROP INDEX jobs_live_task",
    "DROP INDEX jobs_key",
    "ALTER TABLE jobs DROP COLUMN key_name",
    "CREATE UNIQUE INDEX jobs_live_task ON jobs (task_id) WHERE ended_at IS NULL",
    "CREATE UNIQUE INDEX jobs_key ON jobs (idempotency_key)",
    "ALTER TABLE jobs DROP COLUMN metadata",
    "UPDATE alembic_version SET version_num = '0001'",
)


async def test_jobs_of_an_older_store_are_read(tmp_path: Path, blobs: BlobStore) -> None:
    """A store as the first version wrote it: its jobs have no notes of their clients, and belong
    to no key."""
    url = f"sqlite:///{tmp_path}/jobs.sqlite"
    newest = Database(url)
    job, _ = await JobStore(newest, blobs, retention_s=1).submit(new_job())

    def go_back(connection: sa.Connection) -> None:
        for statement in _BACK_TO_THE_FIRST:
            connection.execute(sa.text(statement))

    await newest.write(go_back)
    await newest.close()
    upgraded = Database(url)
    assert await JobStore(upgraded, blobs, retention_s=1).get(job.id) == job
    await upgraded.close()


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def half(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO alembic_version (version_num) VALUES ('0000')"))
        raise KeyError

    with pytest.raises(KeyError):
        await database.write(half)
    versions = sa.text("SELECT version_num FROM alembic_version")
    assert await database.read(lambda c: c.execute(versions).scalars().all()) == ["0006"]


async def test_a_full_disk_is_a_503(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    database = Database(f"sqlite:///{path}")
    await database.open()

    def fill(connection: sa.Connection) -> None:
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
        connection.execute(sa.text(f"PRAGMA max_page_count = {pages}"))
        connection.execute(sa.text("CREATE TABLE filler (content BLOB)"))
        connection.execute(sa.text("INSERT INTO filler VALUES (zeroblob(10000000))"))

    with pytest.raises(Unavailable, match="disk is full") as caught:
        await database.write(fill)
    assert caught.value.status == 503
    await database.close()
    with sqlite3.connect(path) as connection:
        left = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'filler'").fetchall()
        assert left == []
    connection.close()


@pytest.mark.parametrize(
    "url", ["postgresql://127.0.0.1:1/jobs", "sqlite:////proc/nowhere/jobs.sqlite"]
)
async def test_a_database_that_cannot_be_reached_is_a_503(url: str) -> None:
    database = Database(url)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await database.open()
    await database.close()


@pytest.mark.parametrize("url", ["mysql://host/jobs", "jobs.sqlite", ""])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ServerError, match="RAYSCRIBE_DATABASE_URL"):
        Database(url)


async def test_a_frozen_transaction_does_not_hold_its_rows_for_ever(postgres: sa.URL) -> None:
    """PostgreSQL ends it: a lease is worth nothing where its row stays locked."""
    url = await fresh_database(postgres)
    database = Database(url)
    show = sa.text("SHOW idle_in_transaction_session_timeout")
    assert await database.read(lambda c: c.execute(show).scalar_one()) == "30s"
    await database.close()
    await drop_database(postgres, url)


async def test_the_file_its_log_and_its_folder_are_the_services_own(tmp_path: Path) -> None:
    file = tmp_path / "new" / "jobs.sqlite"
    database = Database(f"sqlite:///{file}")
    await database.write(lambda c: c.execute(sa.text("CREATE TABLE t (x)")))
    rights = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    await database.close()
    assert rights.keys() >= {"jobs.sqlite", "jobs.sqlite-wal"}
    assert set(rights.values()) == {0o600}
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_the_file_of_an_earlier_version_becomes_the_services_own(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    file.touch(mode=0o644)
    database = Database(f"sqlite:///{file}")
    await database.open()
    await database.close()
    assert file.stat().st_mode & 0o777 == 0o600
