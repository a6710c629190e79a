"""The database behind the job store: SQLite in a file, or PostgreSQL.

Every transaction that writes takes SQLite's one write lock at its start (BEGIN IMMEDIATE):
a transaction that reads first and writes later would fail where another writer came between.
PostgreSQL locks rows instead. What takes its turn when: `engines.py`.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc

from interchange.errors import ServerError, StoreUnavailable
from serve_app.jobs.store.engines import OF_A_STATEMENT, Engine, Postgresql, Sqlite, Transaction

log = logging.getLogger("ray.serve")

T = TypeVar("T")

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "sqlite+aiosqlite": "sqlite+pysqlite",  # an earlier version's
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}

LOCK_WAIT_S = 30.0
"""How long a writer waits for SQLite's write lock while nobody commits, or a caller for a
connection to PostgreSQL."""

_TROUBLE = (
    exc.DBAPIError,
    exc.TimeoutError,
    sqlite3.Error,  # where the lock is asked for
    OSError,
    # The driver's own, while it connects: a server that starts up, a database that is missing.
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)

_ANY_JOB = sa.text("SELECT id FROM jobs LIMIT 1")

_MIGRATION_LOCK = 0x5241595343  # any number that all versions of this program agree on


class Database:
    """An engine whose schema is brought up to date before its first use.

    Everything here raises StoreUnavailable where the database cannot be used now, and
    ServerError for a store that a newer version of this program has written. `wait_s`: how long
    anything may wait for others, in seconds.
    """

    def __init__(self, url: str, *, wait_s: float = LOCK_WAIT_S) -> None:
        self._url = _engine_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        make: Callable[[sa.URL, float], Engine] = Sqlite if self.is_sqlite else Postgresql
        self._engine = make(self._url, wait_s)
        self._opening = asyncio.Lock()
        self._opened = False

    async def open(self) -> None:
        """Bring the schema up to date; several processes may do so at once.

        In one process, one database at a time: Alembic's operations are global.
        """
        async with self._opening:
            if self._opened:
                return
            with _as_store_unavailable():
                if self.is_sqlite:
                    _make_private(Path(self._url.database or ""))
                await self._engine.write(self._migrate)
            self._opened = True

    async def close(self) -> None:
        await self._engine.close()

    async def check(self) -> None:
        """Whether rows can be read and written now."""
        await self.write(lambda connection: connection.execute(_ANY_JOB).first())

    async def read(self, transaction: Transaction[T]) -> T:
        """What the function says of a connection that it may read from."""
        if not self._opened:
            await self.open()
        with _as_store_unavailable():
            return await self._engine.read(transaction)

    async def write(self, transaction: Transaction[T]) -> T:
        """What the function says; when this returns, its changes are on the disk. Where it raises
        they are wholly undone. It awaits nothing, and is called in another thread."""
        if not self._opened:
            await self.open()
        with _as_store_unavailable():
            return await self._engine.write(transaction)

    def _migrate(self, connection: sa.Connection) -> None:
        if not self.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        _migrate(connection)

    def now(self) -> sa.ColumnElement[float]:
        """The time, as an expression: leases are measured by one clock, the database's."""
        if self.is_sqlite:
            # The same machine by nature; `julianday` has milliseconds.
            return sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Double)
        return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Double)


def _engine_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    except (exc.ArgumentError, KeyError) as error:
        raise ServerError(
            "The address of the job store is neither sqlite:///FILE nor postgresql://…; see "
            "jobs.database_url and RAYSCRIBE_DATABASE_URL."
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed.set(database=str(Path(parsed.database).expanduser()))
    return parsed


def _make_private(file: Path) -> None:
    """Nobody else reads what is said: of the file's log and index SQLite takes its rights."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        if path == file or path.exists():
            path.touch(mode=0o600)
            path.chmod(0o600)


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_revision()
    if present == script.get_current_head():
        return
    if present is not None and present not in {each.revision for each in script.walk_revisions()}:
        raise ServerError(
            f"The job store was written by a newer version of Rayscribe (its schema is "
            f"{present!r}); upgrade this service, or name another store by "
            "RAYSCRIBE_DATABASE_URL."
        )
    command.upgrade(config, "head")


@contextmanager
def _as_store_unavailable() -> Iterator[None]:
    try:
        yield
    except OF_A_STATEMENT:
        raise
    except _TROUBLE as error:
        cause = getattr(error, "orig", None) or error
        log.warning("The job store cannot be used: %s", cause)
        raise StoreUnavailable(
            "The job store cannot be used now, because its database cannot be reached or its "
            "disk is full; nothing was stored. Try again later.",
            retry_after=10,
        ) from error
