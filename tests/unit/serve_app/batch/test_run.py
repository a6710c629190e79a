"""Recordings handed to workers, some of which die."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from interchange.errors import Unavailable, UndecodableRecording
from interchange.transcript import Transcript
from serve_app.batch import run
from serve_app.batch.formats import Table
from serve_app.batch.recordings import Recording
from serve_app.batch.rows import Row, failure_row, transcript_row
from serve_app.batch.run import Batch, BatchFailed, WorkerLost
from serve_app.batch.worker import Outcome


def transcribed(path: str) -> Outcome:
    return Outcome(transcript_row(path, Transcript((), "en", 2.0)), duration=2.0)


def refused(path: str) -> Outcome:
    return Outcome(failure_row(path, UndecodableRecording("No audio.")), failed=True)


def broken(path: str) -> Outcome:
    return Outcome(failure_row(path, Unavailable("No room.")), failed=True, again=True)


class FakeWorker:
    """Answers by `answer`; a death takes along all that is under way."""

    def __init__(self, answer: Callable[[str], Outcome] = transcribed) -> None:
        self.answer = answer
        self.had: list[str] = []
        self.under_way: dict[str, asyncio.Future[None]] = {}
        self.most = 0
        self.deaths = 0

    async def up(self) -> None:
        await asyncio.sleep(0)

    async def transcribe(self, path: str) -> Outcome:
        self.had.append(path)
        died = self.under_way[path] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.under_way))
        try:
            await asyncio.wait([died], timeout=0.001)
            if path.startswith("kills"):
                self.deaths += 1
                for each in self.under_way.values():
                    if not each.done():
                        each.set_result(None)
            if died.done():
                raise WorkerLost
            return self.answer(path)
        finally:
            del self.under_way[path]


class FakeTables:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.shards: list[tuple[Table, list[str]]] = []

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        if self.error is not None:
            raise self.error
        self.shards.append((table, [row["path"] for row in rows]))

    def paths(self, table: Table) -> list[str]:
        return [path for name, paths in self.shards if name == table for path in paths]


def recordings(*paths: str) -> list[Recording]:
    return [Recording(path) for path in paths]


NAMES = [f"{number}.wav" for number in range(50)]


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_DELAY_S", 0.0)


async def test_every_recording_is_in_a_table_once() -> None:
    workers, tables = [FakeWorker(), FakeWorker()], FakeTables()
    batch = Batch(workers, tables, recordings(*NAMES), at_once=4)
    await batch.run()
    assert sorted(tables.paths("transcripts")) == sorted(NAMES)
    assert sorted(workers[0].had + workers[1].had) == sorted(NAMES)
    assert [worker.most for worker in workers] == [4, 4]
    account = batch.account
    assert (account.done, account.failed, account.left, account.audio_s) == (50, 0, 0, 100.0)


async def test_nothing_to_do() -> None:
    await Batch([FakeWorker()], FakeTables(), [], at_once=4).run()


async def test_a_recording_at_fault_is_a_failure_at_once() -> None:
    worker, tables = FakeWorker(refused), FakeTables()
    batch = Batch([worker], tables, recordings("a", "b"), at_once=1)
    await batch.run()
    assert tables.shards == [("failures", ["a", "b"])]
    assert worker.had == ["a", "b"]
    assert (batch.account.failed, batch.account.program) == (2, 0)


async def test_a_fault_of_the_program_is_tried_three_times() -> None:
    tries: Counter[str] = Counter()

    def answer(path: str) -> Outcome:
        tries[path] += 1
        return transcribed(path) if path == "mends.wav" and tries[path] == 3 else broken(path)

    tables = FakeTables()
    batch = Batch([FakeWorker(answer)], tables, recordings("mends.wav", "never.wav"), at_once=2)
    await batch.run()
    assert tries == {"mends.wav": 3, "never.wav": 3}
    assert tables.paths("transcripts") == ["mends.wav"]
    assert tables.paths("failures") == ["never.wav"]
    assert batch.account.program == 1


async def test_a_batch_in_which_everything_fails_ends() -> None:
    tables = FakeTables()
    names = [f"{number}.wav" for number in range(1000)]
    batch = Batch([FakeWorker(broken)], tables, recordings(*names), at_once=8)
    with pytest.raises(BatchFailed, match=r"20 recordings one after the other.*No room"):
        await batch.run()
    assert len(tables.paths("failures")) < 40


async def test_a_death_costs_no_recording_and_the_one_that_kills_is_found() -> None:
    workers, tables = [FakeWorker(), FakeWorker()], FakeTables()
    names = [*NAMES[:10], "kills.wav", *NAMES[10:], "kills too.wav"]
    batch = Batch(workers, tables, recordings(*names), at_once=8)
    await batch.run()
    assert sorted(tables.paths("transcripts")) == sorted(NAMES)
    assert sorted(tables.paths("failures")) == ["kills too.wav", "kills.wav"]
    assert sum(worker.deaths for worker in workers) == 6


async def test_shards_are_written_when_they_are_full_or_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = FakeTables()
    await Batch([FakeWorker()], tables, recordings(*NAMES), at_once=1, shard=20).run()
    assert [len(paths) for _, paths in tables.shards] == [20, 20, 10]
    monkeypatch.setattr(run, "_AUDIO_S", 50.0)
    tables = FakeTables()
    await Batch([FakeWorker()], tables, recordings(*NAMES), at_once=1).run()
    assert [len(paths) for _, paths in tables.shards] == [25, 25]
    monkeypatch.setattr(run, "_OLD_S", 0.0)
    monkeypatch.setattr(run, "_LOOK_S", 0.0)
    tables = FakeTables()
    await Batch([FakeWorker()], tables, recordings(*NAMES[:20]), at_once=1).run()
    assert len(tables.shards) > 1


async def test_a_batch_that_is_stopped_writes_what_it_has() -> None:
    done = asyncio.Event()

    def answer(path: str) -> Outcome:
        if path == NAMES[9]:
            done.set()
        return transcribed(path)

    tables = FakeTables()
    batch = asyncio.create_task(
        Batch([FakeWorker(answer)], tables, recordings(*NAMES), at_once=1).run()
    )
    await done.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert tables.paths("transcripts")[:9] == NAMES[:9]
    assert len(tables.paths("transcripts")) < len(NAMES)


async def test_tables_that_cannot_be_written_end_the_batch() -> None:
    tables = FakeTables(OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        await Batch([FakeWorker()], tables, recordings(*NAMES), at_once=4).run()


async def test_a_worker_that_cannot_be_started_ends_the_batch() -> None:
    class Missing(FakeWorker):
        async def up(self) -> None:
            raise BatchFailed("The model is not there.")

    with pytest.raises(BatchFailed, match="The model is not there"):
        await Batch([Missing()], FakeTables(), recordings("a"), at_once=4).run()
