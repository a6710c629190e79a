"""Does memory stay flat under a mixed load, and no file behind? `make soak ARGS="--minutes 60"`.

Clients send recordings, read event streams, hand in jobs and delete them, go away in the middle,
cancel, and send what is no recording, without pause or with one between calls. Each minute the
memory of every process and the size of the database are taken. In the last quarter no process may
hold more than in the one before, but for 3 %, the database no more than a megabyte more than at
half time, and neither the storage nor the folder for temporary files anything.
"""

import itertools
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx2
import psutil
import typer

from benchmarks.measuring import results
from benchmarks.measuring.recordings import repeated
from benchmarks.measuring.tables import percent, table
from benchmarks.systems.graph_client import GraphClient, running_graph
from tests.support.recordings.speech import SAMPLE

MOST_GROWTH = 0.03

_LEAST_BYTES = 50e6
"""What holds less is not judged: a page more or less is several percent of it."""

_MOST_DATABASE_GROWTH = 1e6
"""Bytes. Its jobs are deleted as fast as they are made, so that pages are used again."""

_OBJECT_STORE = "Ray's object store"
"""Is not judged: a region of a fixed size, whose pages count once they were written to."""

_SETTLE_S = 60.0
"""A cancelled recording's files are gone within seconds, a deleted job's with its row."""

_ENDED = {"completed", "failed", "cancelled"}


@dataclass
class Load:
    """What the clients did; `faults` are answers that nobody may get."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class Clients:
    """Each method is one client's one call. Raises httpx2's errors, and AssertionError."""

    def __init__(self, graph: GraphClient, short: Path, long: Path) -> None:
        self._http = graph.http
        self._graph = graph
        self._short = short
        self._long = long

    def sync(self) -> None:
        expect(self._graph.upload(self._short, speakers="true"), 200, 429)

    def stream(self) -> None:
        with self._short.open("rb") as file, self._streamed(file) as response:
            for _ in response.iter_lines():
                pass

    def leave(self) -> None:
        """Go away after the first line, or the first seconds."""
        with self._long.open("rb") as file, self._streamed(file) as response:
            next(response.iter_lines(), None)

    def job(self) -> None:
        self._follow(self._submit(self._short))

    def cancel(self) -> None:
        job = self._submit(self._long)
        time.sleep(random.uniform(0, 3))
        self._http.post(f"{job}/cancel")
        self._follow(job)

    def bad(self) -> None:
        content = random.choice([b"", b"<html>" * 1000, b"RIFF" + bytes(1000), bytes(10_000)])
        files = {"file": ("bad.wav", content)}
        form = {"model": "whisper-1"}
        expect(self._http.post("/v1/audio/transcriptions", data=form, files=files), 400, 422, 429)

    def _streamed(self, file: Any) -> Any:
        form = {"model": "whisper-1", "stream": "true"}
        return self._http.stream(
            "POST", "/v1/audio/transcriptions", data=form, files={"file": ("a.wav", file)}
        )

    def _submit(self, recording: Path) -> str:
        with recording.open("rb") as file:
            response = self._http.post("/v1/jobs", files={"file": file})
        expect(response, 200, 201, 202)
        return str(response.headers["location"])

    def _follow(self, job: str) -> None:
        while self._http.get(job).json()["status"] not in _ENDED:
            time.sleep(0.5)
        expect(self._http.delete(job), 200, 204)


def expect(response: httpx2.Response, *statuses: int) -> None:
    assert response.status_code in statuses, f"{response.status_code}: {response.text[:300]}"


def keep_calling(name: str, call: Callable[[], None], load: Load, pause_s: float) -> None:
    while not load.over.wait(random.uniform(0, 2 * pause_s)):
        try:
            call()
            load.done[name] += 1
        except (AssertionError, httpx2.HTTPError) as error:
            load.faults.append(f"{name}: {error!r}")
            time.sleep(1)


def memory(root: int) -> dict[str, int]:
    """Bytes by what processes are called; those of one name together, shared pages by share.

    Ray's object store is a row of its own: it is one region, as large as it was asked to be, of
    which each process that reads an object maps some more.
    """
    found: Counter[str] = Counter()
    for process in _tree(root):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            held = _held(process)
            found[_name(process)] += held["Pss"] - held["Pss_Shmem"]
            found[_OBJECT_STORE] += held["Pss_Shmem"]
    return dict(found)


def _held(process: psutil.Process) -> Counter[str]:
    """Bytes by kind of page, as Linux sums them up; all of one kind on other systems."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():
        return Counter(Pss=process.memory_info().rss)
    lines = (line.split() for line in rollup.read_text().splitlines()[1:])
    return Counter({name.rstrip(":"): 1024 * int(size) for name, size, *_ in lines})


def _tree(root: int) -> Iterator[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        yield (process := psutil.Process(root))
        yield from process.children(recursive=True)


def _name(process: psutil.Process) -> str:
    words = process.cmdline() or [process.name()]
    if words[0].startswith("ray::"):
        return str(words[0]).split(".")[0].removeprefix("ray::")
    modules = itertools.pairwise(words)
    return str(next((after for word, after in modules if word == "-m"), Path(words[0]).name))


def growth(minutes: list[dict[str, int]]) -> dict[str, float]:
    """By name, how much more is held at most in the last quarter of the minutes than in the one
    before. Processes go up and down by what they have in work: what leaks raises the highest."""
    quarter = max(1, len(minutes) // 4)
    before, end = _most(minutes[-2 * quarter : -quarter]), _most(minutes[-quarter:])
    return {
        name: end[name] / before[name] - 1
        for name in end
        if before.get(name, 0) >= _LEAST_BYTES and name != _OBJECT_STORE
    }


def _most(minutes: list[dict[str, int]]) -> dict[str, int]:
    names = set[str]().union(*minutes)
    return {name: max(each.get(name, 0) for each in minutes) for name in names}


def main(
    minutes: Annotated[int, typer.Option(min=4, help="How long.")] = 60,
    clients: Annotated[int, typer.Option(min=1, help="Of each kind.")] = 1,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between calls, in the mean.")] = 0,
) -> None:
    """Print what grew; exit 1 where something did, was left over, or was answered wrongly."""
    load = Load()
    with tempfile.TemporaryDirectory(prefix="rayscribe-soak-") as name:
        temporary = Path(name) / "tmp"
        temporary.mkdir()
        long = repeated(SAMPLE, 10, Path(name) / "long.mkv")
        storage = Path(name) / "storage"
        database = Path(name) / "jobs.sqlite"
        env = {
            "TMPDIR": str(temporary),
            "RAYSCRIBE_STORAGE": f"file://{storage}",
            "RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{database}",
        }
        with running_graph(env=env) as graph:
            calls = Clients(graph, SAMPLE, long)
            kinds = (calls.sync, calls.stream, calls.leave, calls.job, calls.cancel, calls.bad)
            threads = [
                threading.Thread(target=keep_calling, args=(call.__name__, call, load, pause))
                for call in kinds
                for _ in range(clients)
            ]
            for thread in threads:
                thread.start()
            taken, database_bytes = [], []
            for minute in range(minutes):
                time.sleep(60)
                taken.append(memory(graph.service.process.pid))
                database_bytes.append(database.stat().st_size)
                total = sum(taken[-1].values()) / 1e6
                typer.echo(f"minute {minute + 1}: {total:.0f} MB, {dict(load.done)}")
            load.over.set()
            for thread in threads:
                thread.join()
            time.sleep(_SETTLE_S)
            left = [str(path) for path in _files(storage, temporary)]
    grown = growth(taken)
    database_growth = database_bytes[-1] - database_bytes[minutes // 2]
    _report(taken, grown, left, load)
    typer.echo(
        f"The database holds {database_bytes[-1]} bytes, {database_growth:+} since half time."
    )
    found = {
        "minutes": taken,
        "growth": grown,
        "database": database_bytes,
        "left": left,
        "done": load.done,
    }
    typer.echo(f"Written to {results.write('soak', found | {'faults': load.faults})}")
    flat = max(grown.values()) <= MOST_GROWTH and database_growth <= _MOST_DATABASE_GROWTH
    if left or load.faults or not flat:
        raise typer.Exit(1)


def _files(storage: Path, temporary: Path) -> Iterator[Path]:
    """Recordings and whatever else was to be gone."""
    for folder in (storage, temporary):
        yield from (path for path in folder.rglob("*") if path.is_file() and path.name != ".clock")


def _report(
    taken: list[dict[str, int]], grown: dict[str, float], left: list[str], load: Load
) -> None:
    last = taken[-1]
    rows: list[list[Any]] = [
        [name, round(size / 1e6), percent(grown.get(name))]
        for name, size in sorted(last.items(), key=lambda each: -each[1])
    ]
    typer.echo("\n" + table(["processes", "MB in the end", "in the last quarter"], rows))
    typer.echo(f"Left over: {', '.join(left) or 'nothing'}.")
    for fault in load.faults[:20]:
        typer.echo(fault, err=True)


if __name__ == "__main__":
    typer.run(main)
