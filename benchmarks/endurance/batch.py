"""Does bulk work keep what it promises? `make batch-proof`.

speed   `rayscribe batch` on short clips against the same stages in one process, in turns
kill    a batch is killed by `kill -9` with all its processes, twice, and started again
s3      the same out of one bucket and into another, of moto's server
plan    a million recordings: what a run does before its first, and its driver for each
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks.measuring import results
from benchmarks.measuring.disturbance import Disturbance
from benchmarks.measuring.recordings import NoSpeech, beginning, clips, seconds
from benchmarks.measuring.tables import percent, table
from benchmarks.systems.worker import Worker
from interchange.transcript import Segment, Transcript, Word
from serve_app.batch import parquet
from serve_app.batch.formats import Format
from serve_app.batch.recordings import Recording, recordings
from serve_app.batch.rows import transcript_row
from serve_app.batch.run import Batch
from serve_app.batch.tables import Tables
from serve_app.batch.worker import Outcome
from tests.support.recordings.speech import SAMPLE
from tests.support.running.service import ROOT, Service, free_port

PARTS = ("speed", "kill", "s3", "plan")
AT_ONCE = 16
TARGET = 0.95

_PATIENCE_S = 900.0


class Broken(Exception):
    """What was promised and not kept."""


class Run:
    """`rayscribe batch` in a process of its own."""

    def __init__(self, source: str, target: str, env: Mapping[str, str], *options: str) -> None:
        command = [sys.executable, "-m", "serve_app", "batch", source, "-o", target]
        self._process = subprocess.Popen(
            [*command, "--language", "en", "--jobs", str(AT_ONCE), *options],
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> int:
        """Every process of it, at once; returns how many there were."""
        return Service(self._process, "", "").kill_everything()

    def seconds(self) -> float:
        """Wait for its end; how long the workers took, without their start. Raises Broken."""
        _, said = self._process.communicate(timeout=_PATIENCE_S)
        if self._process.returncode != 0:
            raise Broken(f"The batch ended with {self._process.returncode}: {said}")
        last = said.strip().splitlines()[-1]
        return float(last.partition(" recordings, ")[2].partition(" s,")[0])


# ------------------------------------------------------------------------------------ speed


def speed(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Each is given so many clips, and three times as many: what these took longer is its speed.
    What a batch's workers do once, however many recordings follow, is its start."""
    some = _clips(folder / "some", count)
    every = _clips(folder / "all", 3 * count)
    audio_s = sum(map(seconds, every)) - sum(map(seconds, some))
    found: list[dict[str, float]] = []
    for turn in range(rounds):
        with Disturbance() as disturbance, Worker("in-process") as worker:
            worker.prepare(every)
            worker.run(every[:4], 4)
            alone = [worker.run(files, AT_ONCE).seconds for files in (some, every)]
        batch = [
            Run(str(folder / name), str(folder / f"{name}-{turn}"), {}).seconds()
            for name in ("some", "all")
        ]
        by_itself, in_batch = alone[1] - alone[0], batch[1] - batch[0]
        found.append(
            {
                "one process, s": by_itself,
                "batch, s": in_batch,
                "of its speed": by_itself / in_batch,
                "its start, s": batch[0] - in_batch * len(some) / (len(every) - len(some)),
                "disturbed": disturbance.share,
            }
        )
    shares = ("of its speed", "disturbed")
    rows: list[list[Any]] = [
        [turn + 1, *(percent(value) if name in shares else value for name, value in each.items())]
        for turn, each in enumerate(found)
    ]
    headings = ["round", *found[0]]
    typer.echo(f"{audio_s:.0f} s of audio in clips:\n\n{table(headings, rows)}\n")
    ratio = statistics.median(each["of its speed"] for each in found)
    typer.echo(f"In the median {percent(ratio)}; asked for are {percent(TARGET, 0)}.")
    return {"clips": count, "audio_s": audio_s, "rounds": found}


def _clips(folder: Path, count: int) -> list[Path]:
    """So many short recordings: utterances, or pieces of the sample where there are none."""
    folder.mkdir()
    try:
        sources = [clip.path for clip in clips(64)]
    except NoSpeech:
        sources = [
            beginning(SAMPLE, 4.0 + number, folder.parent / f"piece-{number}.mkv")
            for number in range(8)
        ]
    files = []
    for number in range(count):
        source = sources[number % len(sources)]
        files.append(Path(shutil.copy(source, folder / f"{number:05}{source.suffix}")))
    return files


# ------------------------------------------------------------------------------- kill and S3


def kill(folder: Path, count: int) -> dict[str, Any]:
    files = _clips(folder / "in", count)
    return _killed(str(folder / "in"), str(folder / "out"), {str(path) for path in files}, {})


def s3(folder: Path, count: int) -> dict[str, Any]:
    import s3fs  # noqa: PLC0415 - from a folder of its own, see the Makefile

    files = _clips(folder / "in", count)
    with _moto() as env:
        os.environ.update(env)  # for this process's own look at the buckets
        store = s3fs.S3FileSystem()
        for bucket in ("recordings", "transcripts"):
            store.mkdir(bucket)
        store.put([str(path) for path in files], "recordings/calls/")
        names = {f"s3://recordings/calls/{path.name}" for path in files}
        return _killed("s3://recordings/calls", "s3://transcripts/calls", names, env)


@contextmanager
def _moto() -> Iterator[dict[str, str]]:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while server.poll() is None and not _listens(server.pid):
            time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        server.wait()


def _listens(process: int) -> bool:
    connections = psutil.Process(process).net_connections()
    return any(each.status == psutil.CONN_LISTEN for each in connections)


def _killed(source: str, target: str, wanted: set[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Kill a batch twice on its way, then let it end. Raises Broken."""
    shard = max(1, len(wanted) // 16)
    options = ("--format", "parquet", "--shard-size", str(shard))
    stages: list[dict[str, Any]] = []
    for share in (0.25, 0.6):
        run = Run(source, target, env, *options)
        until = time.monotonic() + _PATIENCE_S
        while len(_done(target)) < share * len(wanted):
            if time.monotonic() > until:
                raise Broken(f"Nothing was written for {_PATIENCE_S:g} s.")
            time.sleep(0.2)
        processes = run.kill()
        done = _done(target)
        stages.append({"killed": processes, "done": len(done)})
        typer.echo(f"Killed {processes} processes; {len(done)} of {len(wanted)} are done")
    took = Run(source, target, env, *options).seconds()
    there = _done(target)
    if len(there) != len(set(there)):
        raise Broken(f"{len(there) - len(set(there))} recordings are there twice.")
    if set(there) != wanted:
        raise Broken(f"{len(wanted - set(there))} recordings are missing.")
    typer.echo(f"The last run took {took:.1f} s; every recording is there, once.")
    return {"recordings": len(wanted), "stages": stages, "last_run_s": took}


def _done(target: str) -> list[str]:
    """The paths of all rows, each as often as it is there."""
    tables = Tables(target, Format.PARQUET)
    return [row["path"] for name in tables.shards("transcripts") for row in tables.rows(name)]


# ------------------------------------------------------------------------------------- plan


def plan(folder: Path, count: int) -> dict[str, Any]:
    found: dict[str, float] = {}
    names = [f"s3://bucket/calls/2026/{number:07}.wav" for number in range(count)]
    row = transcript_row("", _transcript())
    listed = folder / "list.parquet"
    listed.write_bytes(parquet.encoded([{"path": name} for name in names], "failures"))
    with closing(Tables(str(folder / "out"), Format.PARQUET)) as tables:
        tables.begin({})
        began = time.perf_counter()
        for first in range(0, count - count // 10, 1000):
            tables.write("transcripts", [row | {"path": name} for name in names[first:][:1000]])
        found["writing what is done, s"] = time.perf_counter() - began
        began = time.perf_counter()
        done = tables.done()
        found["reading what is done, s"] = time.perf_counter() - began
        began = time.perf_counter()
        left = [each for each in recordings(str(listed), (), "path") if each.path not in done]
        found["reading the list, s"] = time.perf_counter() - began
        found["done"], found["left"] = len(done), len(left)
        found["memory, MB"] = psutil.Process().memory_info().rss / 1e6
    found |= _driver(folder, left[:20_000], row)
    rows: list[list[Any]] = [[name, float(value)] for name, value in found.items()]
    typer.echo(f"{count} recordings:\n\n{table(['what', 'figure'], rows)}\n")
    return found


def _driver(folder: Path, left: list[Recording], row: dict[str, Any]) -> dict[str, float]:
    """What the driver does for each recording, with workers that have nothing to do."""

    class Idle:
        async def up(self) -> None:
            pass

        async def transcribe(self, path: str) -> Outcome:
            await asyncio.sleep(0)
            return Outcome(row | {"path": path}, duration=10.0)

    with closing(Tables(str(folder / "driver"), Format.JSONL)) as tables:
        tables.begin({})
        batch = Batch([Idle() for _ in range(64)], tables, left, at_once=64)
        began = time.perf_counter()
        asyncio.run(batch.run())
        took = time.perf_counter() - began
    return {"driver alone, recordings a second": len(left) / took}


def _transcript() -> Transcript:
    """Ten seconds in which somebody says 25 words."""
    words = tuple(Word(f" word{at}", at * 0.4, at * 0.4 + 0.3, 0.9) for at in range(25))
    text = "".join(word.text for word in words)
    return Transcript((Segment(0.0, 10.0, text, "en", words=words),), "en", 10.0)


def main(
    only: Annotated[str, typer.Option(help="Parts, separated by commas.")] = ",".join(PARTS),
    count: Annotated[int, typer.Option(min=32, help="Short clips.")] = 128,
    rounds: Annotated[int, typer.Option(min=1, help="Of the comparison.")] = 3,
    planned: Annotated[int, typer.Option(min=1000, help="Recordings to plan.")] = 1_000_000,
) -> None:
    """Print what was found; exit 1 where something promised was not kept."""
    found: dict[str, Any] = {"load": os.getloadavg()}
    typer.echo(f"Load of the machine before: {os.getloadavg()[0]:.1f}")
    parts = {
        "speed": lambda folder: speed(folder, count, rounds),
        "kill": lambda folder: kill(folder, count),
        "s3": lambda folder: s3(folder, count // 2),
        "plan": lambda folder: plan(folder, planned),
    }
    try:
        for part in only.split(","):
            typer.echo(f"\n## {part}\n")
            with tempfile.TemporaryDirectory(prefix="rayscribe-batch-") as name:
                found[part] = parts[part](Path(name))
    except Broken as broken:
        typer.echo(str(broken), err=True)
        raise typer.Exit(1) from broken
    typer.echo(f"\nWritten to {results.write('batch-proof', json.loads(json.dumps(found)))}")


if __name__ == "__main__":
    typer.run(main)
