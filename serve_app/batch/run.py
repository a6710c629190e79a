"""Recordings to workers, rows to tables: a batch as its one driver sees it."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from interchange.errors import ServerError
from serve_app.batch.formats import Table
from serve_app.batch.recordings import Recording
from serve_app.batch.rows import Row, failure_row
from serve_app.batch.worker import Outcome

_TRIES = 3
_DELAY_S = 5.0
"""Before the second try at a recording that failed for no fault of its own; twice that before the
third."""
_IN_A_ROW = 20
"""So many of them, and what they fail of is the same for those that wait."""

_AUDIO_S = 50 * 3600.0
_OLD_S = 60.0
_LOOK_S = 5.0
"""A shard is written when it is full, by rows or by audio, or when its first row is so old: what
is not written yet is done again after a crash."""


class WorkerLost(Exception):
    """A worker died with all that it had under way. Another is started in its place."""


class BatchFailed(Exception):
    """Going on would lead nowhere. The message is a sentence on it."""


class KillsWorkers(ServerError):
    code = "worker_died"


class HandedOut(Protocol):
    """A worker in a process of its own."""

    async def up(self) -> None:
        """Wait until it is ready. Raises BatchFailed where it cannot be."""
        ...

    async def transcribe(self, path: str) -> Outcome:
        """Raises WorkerLost."""
        ...


class Written(Protocol):
    def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Keep these rows, all or none. Raises OSError."""
        ...


@dataclass
class Account:
    """How far a batch is. `began` is when the first worker was ready, `ended` when the last
    recording was, by the monotonic clock; `program` counts those of the `failed` that did so for no
    fault of their own; `audio_s` is what the `done` are long."""

    total: int
    began: float | None = None
    ended: float | None = None
    done: int = 0
    failed: int = 0
    program: int = 0
    audio_s: float = 0.0

    @property
    def left(self) -> int:
        return self.total - self.done - self.failed

    @property
    def seconds(self) -> float:
        return 0.0 if self.began is None else (self.ended or time.monotonic()) - self.began


@dataclass(slots=True)
class _Task:
    path: str
    tries: int = 1
    deaths: int = 0


class Batch:
    """Keeps `at_once` recordings with each worker, and writes what becomes of them, in shards of
    at most so many rows.

    A worker that dies takes none of them along: each goes to another, where it is the only one
    under which a worker has died. So the one that kills them is found, and given up after three.
    """

    def __init__(
        self,
        workers: Sequence[HandedOut],
        tables: Written,
        recordings: Iterable[Recording],
        *,
        at_once: int,
        shard: int = 1000,
    ) -> None:
        self._workers = workers
        self._tables = tables
        self._at_once = at_once
        self._shard = shard
        self._waiting: asyncio.Queue[_Task] = asyncio.Queue()
        self._suspects: asyncio.Queue[_Task] = asyncio.Queue()
        for each in recordings:
            self._waiting.put_nowait(_Task(each.path))
        self.account = Account(self._waiting.qsize())
        self._ended = asyncio.Event()
        self._in_a_row = 0
        self._rows: dict[Table, list[Row]] = {"transcripts": [], "failures": []}
        self._held_s = 0.0
        self._oldest: float | None = None
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Until every recording is in a table. Whatever ends it, what was found is written.

        Raises BatchFailed, and OSError where the tables cannot be written.
        """
        if not self.account.left:
            return
        try:
            async with asyncio.TaskGroup() as group:
                queues = [self._waiting] * self._at_once + [self._suspects]
                tasks = [
                    group.create_task(self._keep_busy(worker, queue))
                    for worker in self._workers
                    for queue in queues
                ]
                tasks.append(group.create_task(self._write_what_is_old()))
                await self._ended.wait()
                await self._write()
                self.account.ended = time.monotonic()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            await self._write()

    async def _keep_busy(self, worker: HandedOut, queue: asyncio.Queue[_Task]) -> None:
        await worker.up()
        self.account.began = self.account.began or time.monotonic()
        while True:
            task = await queue.get()
            try:
                outcome = await worker.transcribe(task.path)
            except WorkerLost:
                await self._suspect(task)
                await worker.up()
                continue
            if outcome.again and task.tries < _TRIES:
                await asyncio.sleep(_DELAY_S * task.tries)
                task.tries += 1
                queue.put_nowait(task)
            else:
                await self._finish(outcome)

    async def _suspect(self, task: _Task) -> None:
        task.deaths += 1
        if task.deaths < _TRIES:
            self._suspects.put_nowait(task)
            return
        error = KillsWorkers(
            f"{_TRIES} workers died while they had this recording; see their logs."
        )
        await self._finish(Outcome(failure_row(task.path, error), failed=True, again=True))

    async def _finish(self, outcome: Outcome) -> None:
        account = self.account
        self._in_a_row = self._in_a_row + 1 if outcome.again else 0
        account.failed += outcome.failed
        account.program += outcome.again
        account.done += not outcome.failed
        account.audio_s += outcome.duration
        rows = self._rows["failures" if outcome.failed else "transcripts"]
        rows.append(outcome.row)
        self._held_s += outcome.duration
        self._oldest = self._oldest or time.monotonic()
        if len(rows) >= self._shard or self._held_s >= _AUDIO_S:
            await self._write()
        if not account.left:
            self._ended.set()
        elif self._in_a_row >= _IN_A_ROW:
            raise BatchFailed(
                f"{self._in_a_row} recordings one after the other failed for no fault of their "
                f"own, the last of them so: {outcome.row['message']} Mend that and start again."
            )

    async def _write_what_is_old(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._oldest is not None and time.monotonic() - self._oldest >= _OLD_S:
                await self._write()

    async def _write(self) -> None:
        """Everything that is held. Who comes meanwhile waits: no more is held than is written."""
        async with self._writing:
            self._held_s, self._oldest = 0.0, None
            for table, rows in self._rows.items():
                if rows:
                    self._rows[table] = []
                    await asyncio.to_thread(self._tables.write, table, rows)
