"""How transactions are run: by threads over SQLite's file, by asyncio on PostgreSQL.

A transaction is a function of a connection that awaits nothing, so that no lock is held while an
event loop is busy with something else.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import create_async_engine

T = TypeVar("T")
Transaction = Callable[[sa.Connection], T]

OF_A_STATEMENT = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)
"""Errors of what was asked for. Others are the database's."""

FROZEN_S = 30
"""After so many seconds PostgreSQL ends a transaction whose process froze within it."""

_READERS = 4
_RETRY_S = 0.002
_TURN_S = 0.02  # of work: on a crowded machine it takes longer, and another turn would as well
_PAUSE_S = 0.005  # longer than two looks of another process


class Engine(Protocol):
    """`write` commits when the function returns, and undoes all of it where it raises."""

    async def read(self, transaction: Transaction[T]) -> T: ...

    async def write(self, transaction: Transaction[T]) -> T: ...

    async def close(self) -> None: ...


class Postgresql:
    """`wait_s`: how long a statement may take, and how long one waits for a connection."""

    def __init__(self, url: sa.URL, wait_s: float) -> None:
        self._engine = create_async_engine(
            url,
            pool_pre_ping=True,
            pool_timeout=wait_s,
            connect_args={
                "timeout": min(10.0, wait_s),
                "command_timeout": wait_s,
                # A process that freezes within a transaction must not hold its rows for ever.
                "server_settings": {"idle_in_transaction_session_timeout": f"{FROZEN_S}s"},
            },
        )

    async def read(self, transaction: Transaction[T]) -> T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(transaction)

    async def write(self, transaction: Transaction[T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(transaction)

    async def close(self) -> None:
        await self._engine.dispose()


class Sqlite:
    """The process's only writer is one thread, which takes SQLite's one write lock for all that
    waits and commits it together: a disk is as long about one commit as about thirty.

    So those who contend for the lock are as many as there are processes. Each asks every
    `_RETRY_S`, holds it for `_TURN_S` of work, and leaves the others `_PAUSE_S` before its next
    turn: SQLite's own wait grows to a tenth of a second, in which whoever comes later goes first.
    `wait_s`: how long one waits for the lock while no other process commits anything. A store
    that is busy is not one that is locked.
    """

    def __init__(self, url: sa.URL, wait_s: float) -> None:
        self._wait_s = wait_s
        self._reading = _sqlite_engine(url, wait_s, _READERS)
        self._writing = _sqlite_engine(url, wait_s, 1, ("busy_timeout=0",))
        self._readers = ThreadPoolExecutor(_READERS, "store-reader")
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._waiting: deque[_Write] = deque()
        self._free_at = 0.0

        @sa.event.listens_for(self._reading, "begin")
        def _begun(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    async def read(self, transaction: Transaction[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, self._read, transaction
        )

    async def write(self, transaction: Transaction[T]) -> T:
        write = _Write(transaction)
        self._waiting.append(write)
        self._writer.submit(self._turn)
        return await asyncio.wrap_future(write.outcome)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for threads, engine in ((self._writer, self._writing), (self._readers, self._reading)):
            threads.shutdown()
            engine.dispose()

    def _read(self, transaction: Transaction[T]) -> T:
        with self._reading.connect() as connection:
            return transaction(connection)

    # ------------------------------------------------------------ in the writer's thread

    def _turn(self) -> None:
        if not self._waiting:
            return  # an earlier turn took it along
        time.sleep(max(0.0, self._free_at - time.monotonic()))
        group: list[_Write] = []
        try:
            with self._writing.connect() as connection:
                if not self._lock(connection):
                    return
                until = time.thread_time() + _TURN_S
                with connection.begin():
                    for write in self._take():
                        group.append(write)
                        write.make(connection)
                        if time.thread_time() >= until:
                            break
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            for write in group or self._take():
                write.outcome.set_exception(error)
        else:
            for write in group:
                write.settle()
        self._free_at = time.monotonic() + _PAUSE_S

    def _lock(self, connection: sa.Connection) -> bool:
        """Take the write lock; False where everybody has waited for it in vain."""
        cursor, version, alive_at = connection.connection.cursor(), None, 0.0
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                now = time.monotonic()
                cursor.execute("PRAGMA data_version")  # another one after another's commit
                if (latest := cursor.fetchone()) != version:
                    version, alive_at = latest, now
                elif now - alive_at >= self._wait_s:
                    for write in self._take(now - self._wait_s):
                        write.outcome.set_exception(error)
                if not self._waiting:
                    return False
                time.sleep(_RETRY_S)
            else:
                return True

    def _take(self, since: float = float("inf")) -> "Iterator[_Write]":
        """Those who wait since then or longer, in order; nobody waits for what was cancelled."""
        while self._waiting and self._waiting[0].since <= since:
            write = self._waiting.popleft()
            if write.outcome.set_running_or_notify_cancel():
                yield write


class _Write:
    """A transaction that waits for its turn, `since` then by the monotonic clock."""

    def __init__(self, transaction: Transaction[Any]) -> None:
        self.since = time.monotonic()
        self.outcome: Future[Any] = Future()
        self._transaction = transaction
        self._result: Any = None
        self._error: Exception | None = None

    def make(self, connection: sa.Connection) -> None:
        """Raises errors of the database; another undoes this transaction and no other."""
        try:
            with connection.begin_nested():
                self._result = self._transaction(connection)
        except Exception as error:
            if isinstance(error, exc.DBAPIError) and not isinstance(error, OF_A_STATEMENT):
                raise
            self._error = error

    def settle(self) -> None:
        """All is committed."""
        if self._error is None:
            self.outcome.set_result(self._result)
        else:
            self.outcome.set_exception(self._error)


def _sqlite_engine(
    url: sa.URL, wait_s: float, connections: int, more: Sequence[str] = ()
) -> sa.Engine:
    engine = sa.create_engine(
        url, connect_args={"timeout": wait_s}, pool_size=connections, max_overflow=0
    )

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun above, not by the driver
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", *more):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
