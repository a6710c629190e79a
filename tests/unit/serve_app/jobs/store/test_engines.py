"""Many write at once: nothing is refused, nothing is lost, and a disk is asked once for all."""

import asyncio
import json
import sqlite3
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from interchange.errors import StoreUnavailable
from interchange.files.blobs import BlobStore
from serve_app.jobs.store import engines
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from tests.support import store_user

_INSERT = sa.text("INSERT INTO numbers VALUES (:number)")


@pytest.fixture(autouse=True)
def _a_turn_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is."""
    monkeypatch.setattr(engines, "_TURN_S", float("inf"))


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A store with a table of numbers, too."""
    path = tmp_path / "jobs.sqlite"
    database = Database(f"sqlite:///{path}")
    table = "CREATE TABLE numbers (number INTEGER PRIMARY KEY)"
    await database.write(lambda c: c.execute(sa.text(table)))
    await database.close()
    return path


def enter(database: Database, number: int) -> asyncio.Task[object]:
    return asyncio.create_task(
        database.write(lambda c: c.execute(_INSERT, {"number": number}).rowcount)
    )


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """As by another process."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def begun(tasks: list[asyncio.Task[object]]) -> None:
    """Until each of them waits for its turn."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


def numbers(file: Path) -> list[int]:
    """In the order in which they were written."""
    with closing(sqlite3.connect(file)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM numbers")]


def commits(file: Path) -> int:
    """How many transactions SQLite's log holds: a commit's last frame has the size of the file."""
    log = file.with_name(f"{file.name}-wal").read_bytes()
    (page,) = struct.unpack(">8xI", log[:12])
    salt = log[16:24]
    frames = (log[at : at + 24] for at in range(32, len(log), 24 + page))
    return sum(frame[4:8] != bytes(4) and frame[8:16] == salt for frame in frames)


async def test_what_waits_together_is_committed_together(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    await enter(database, 0)
    before = commits(file)
    with locked(file):
        writes = [enter(database, number) for number in range(1, 31)]
        await begun(writes)
    await asyncio.gather(*writes)
    assert commits(file) == before + 1
    assert numbers(file) == list(range(31))
    await database.close()


async def test_what_fails_is_undone_alone(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    await enter(database, 0)

    def half(connection: sa.Connection) -> None:
        connection.execute(_INSERT, {"number": 7})
        raise KeyError(7)

    with locked(file):
        writes: list[asyncio.Task[Any]] = [
            enter(database, 1),
            asyncio.create_task(database.write(half)),
            enter(database, 1),
            enter(database, 2),
        ]
        await begun(writes)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert outcomes[::3] == [1, 1]
    assert [type(each) for each in outcomes[1:3]] == [KeyError, sa.exc.IntegrityError]
    assert numbers(file) == [0, 1, 2]
    await database.close()


async def test_where_the_disk_is_full_nobody_is_told_of_a_success(file: Path) -> None:
    database = Database(f"sqlite:///{file}")

    def fill(connection: sa.Connection) -> None:
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
        connection.execute(sa.text(f"PRAGMA max_page_count = {pages}"))
        connection.execute(sa.text("CREATE TABLE filler (content BLOB)"))
        connection.execute(sa.text("INSERT INTO filler VALUES (zeroblob(10000000))"))

    await database.open()
    with locked(file):
        writes: list[asyncio.Task[Any]] = [
            enter(database, 1),
            asyncio.create_task(database.write(fill)),
            enter(database, 2),
        ]
        await begun(writes)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(each) for each in outcomes] == [StoreUnavailable, StoreUnavailable, int]
    assert numbers(file) == [2]
    await database.close()


async def test_nothing_is_written_for_whom_has_gone(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    await database.open()
    with locked(file):
        writes = [enter(database, number) for number in (1, 2, 3)]
        await begun(writes)
        writes[1].cancel()
        await asyncio.wait(writes[1:2])
    await asyncio.gather(*writes, return_exceptions=True)
    assert numbers(file) == [1, 3]
    await database.close()


async def test_each_waits_for_a_locked_store_as_long_as_it_may_and_no_longer(file: Path) -> None:
    patient, impatient = (Database(f"sqlite:///{file}", wait_s=wait_s) for wait_s in (600, 0.05))
    await asyncio.gather(patient.open(), impatient.open())
    with locked(file):
        kept = enter(patient, 1)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await enter(impatient, 2)
        assert not kept.done()
    assert await kept == 1
    await asyncio.gather(patient.close(), impatient.close())
    assert numbers(file) == [1]


@pytest.mark.parametrize("commits", [True, False])
async def test_a_busy_store_is_not_a_locked_one(
    file: Path, monkeypatch: pytest.MonkeyPatch, commits: bool
) -> None:
    """Whenever one who has no patience at all looks, another process has the lock; only where
    that one commits nothing is it refused."""
    database, looks = Database(f"sqlite:///{file}", wait_s=0), 0
    await enter(database, 0)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    def between_two_looks(seconds: float) -> None:
        nonlocal looks
        if seconds != engines._RETRY_S:
            return
        looks += 1
        if commits:
            other.execute("INSERT INTO numbers VALUES (?)", (looks,))
            other.execute("COMMIT")
            if looks < 10:
                other.execute("BEGIN IMMEDIATE")

    clock = SimpleNamespace(
        monotonic=time.monotonic, thread_time=time.thread_time, sleep=between_two_looks
    )
    monkeypatch.setattr(engines, "time", clock)
    if commits:
        assert await enter(database, 11) == 1
    else:
        with pytest.raises(StoreUnavailable):
            await enter(database, 11)
    other.close()
    assert numbers(file) == ([*range(12)] if commits else [0])
    await database.close()


async def test_the_loop_goes_on_while_the_store_is_locked(file: Path) -> None:
    """A process that waits for the lock reads, and serves, all the same."""
    database = Database(f"sqlite:///{file}")
    await database.open()
    with locked(file):
        write = enter(database, 1)
        counted = await database.read(
            lambda c: c.execute(sa.text("SELECT count(*) FROM numbers")).scalar_one()
        )
        assert (counted, write.done()) == (0, False)
    await write
    await database.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_processes_that_do_anything_at_once_lose_nothing(
    database_url: str, blobs: BlobStore, tmp_path: Path, seed: int
) -> None:
    """Whatever the store was asked by several processes at once, it accepted, and it has it."""
    users = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", store_user.__name__),
            *(database_url, str(tmp_path), str(4 * seed + i)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for i in range(4)
    ]
    told: dict[str, dict[str, Any]] = {}
    answers = await asyncio.gather(*(user.communicate() for user in users))
    for user, (said, complaint) in zip(users, answers, strict=True):
        assert user.returncode == 0, complaint.decode()
        for name, change in json.loads(said):
            told.setdefault(name, {"windows": []})
            told[name]["windows"] += change.pop("windows", [])
            told[name] |= change
    database = Database(database_url)
    store = JobStore(database, blobs, retention_s=1000)
    for name, expected in told.items():
        job = await store.get(name)
        kept = [window.index for window in await store.windows(name, limit=1000)]
        assert (job.ended, kept) == (expected.get("ended", False), sorted(expected["windows"]))
        assert job.windows == len(kept)
    assert sum(1 for each in told.values() if each["windows"]) > 0
    await database.close()
