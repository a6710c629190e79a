"""Two processes on one database, one frozen past its lease: only one of them ends the job."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interchange.files.blobs import BlobStore
from serve_app.jobs.job import Job
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.outbox import Outbox
from tests.support.jobs import ended, new_job
from tests.support.running import runner_process

pytestmark = pytest.mark.slow

LOST = "was cancelled or went to another runner"


class Process:
    """A runner. It waits behind its first window until `open_gate`."""

    def __init__(self, process: subprocess.Popen[str], gate: Path) -> None:
        self._process = process
        self._gate = gate

    def open_gate(self) -> None:
        self._gate.touch()

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    async def at_the_gate(self) -> None:
        """Wait until the first window and the speakers are kept; no more is written then."""
        await self.says(runner_process.KEPT)
        await self.says(runner_process.KEPT)

    async def says(self, words: str) -> None:
        """Wait until it does."""
        await asyncio.to_thread(self._read_until, words)

    def _read_until(self, words: str) -> None:
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if words in line:
                return
        raise AssertionError("the runner ended: " + "".join(said))


class Processes:
    """Starts runners on one store."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    @contextmanager
    def runner(
        self, name: str, *, lease_s: float = 1000, look_s: float = 0.01
    ) -> Iterator[Process]:
        """`look_s` is how often it looks whether its lease is lost."""
        gate = self._folder / f"gate of {name}"
        module = runner_process.__name__
        blobs = f"file://{self._folder}/blobs"
        arguments = [name, self._url, blobs, str(gate), str(lease_s), str(look_s)]
        with subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Process(process, gate)
            finally:
                process.kill()


@pytest.fixture
def processes(database_url: str, tmp_path: Path) -> Processes:
    return Processes(database_url, tmp_path)


@pytest.fixture
async def watched(database_url: str) -> AsyncIterator[Database]:
    """The store that the processes share."""
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(watched: Database, blobs: BlobStore) -> JobStore:
    return JobStore(watched, blobs, retention_s=1000)


@pytest.fixture
def outbox(watched: Database) -> Outbox:
    return Outbox(watched)


async def taken_again(store: JobStore, job_id: str) -> None:
    while (await store.get(job_id)).fence < 2:
        await asyncio.sleep(0.01)


LOOKS = pytest.mark.parametrize(
    "look_s",
    [pytest.param(0.01, id="its keeper finds out"), pytest.param(10**6, id="its write is refused")],
)


@LOOKS
async def test_a_runner_that_wakes_when_another_has_finished(
    processes: Processes, store: JobStore, outbox: Outbox, look_s: float
) -> None:
    job, _ = await store.submit(new_job())
    with processes.runner("slow", lease_s=0.5, look_s=look_s) as slow:
        await slow.at_the_gate()
        slow.freeze()
        with processes.runner("fast") as fast:
            fast.open_gate()
            done = await ended(store, job.id)
        slow.open_gate()
        slow.thaw()
        await slow.says(LOST)
    await check(store, outbox, done)


@LOOKS
async def test_a_runner_that_wakes_while_another_works(
    processes: Processes, store: JobStore, outbox: Outbox, look_s: float
) -> None:
    job, _ = await store.submit(new_job())
    with processes.runner("slow", lease_s=0.5, look_s=look_s) as slow:
        await slow.at_the_gate()
        slow.freeze()
        with processes.runner("fast") as fast:
            await taken_again(store, job.id)
            slow.open_gate()
            slow.thaw()
            await slow.says(LOST)
            assert len(await store.windows(job.id)) == 1, "what it found too late is not kept"
            fast.open_gate()
            done = await ended(store, job.id)
    await check(store, outbox, done)


async def check(store: JobStore, outbox: Outbox, done: Job) -> None:
    """Nothing has changed since the job ended, and each window was kept once."""
    assert done.status == "completed"
    assert await store.get(done.id) == done
    assert done.windows == runner_process.WINDOWS
    assert (await store.transcript(done.id)).text == " slow0 fast1 fast2"
    assert len(await outbox.of_job(done.id)) == 1, "one end, one webhook"
