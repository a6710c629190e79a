"""Workloads g and h: the speakers of the long recording beside its words, and those of hours."""

import math
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.measuring.figures import median
from benchmarks.measuring.memory import PeakMemory
from benchmarks.measuring.recordings import long_recording, repeated
from benchmarks.measuring.tables import table
from benchmarks.systems.contenders import graph
from benchmarks.systems.worker import Worker
from configs.settings import usable_cores

_MB = 1e6


def speakers_beside_words(repeats: int) -> dict[str, Any]:
    """The engine, our diarizer and the graph in turn; pyannote's own flow once.

    Raises NoSpeech.
    """
    path = long_recording().path
    took: dict[str, list[float]] = {}
    with ExitStack() as started:
        ways: dict[str, Callable[[], object]] = {}
        for name, kind in (("words alone", "engine"), ("speakers alone", "diarizer")):
            ways[name] = _alone(started, kind, path)
        client = started.enter_context(graph()).client
        ways["words over HTTP"] = lambda: client.transcribe(path, language="en")
        ways["with speakers"] = lambda: client.transcribe(path, language="en", speakers="true")
        for way in ways.values():
            way()  # whatever only the first one pays
        for _ in range(repeats):
            for name, way in ways.items():
                took.setdefault(name, []).append(_seconds(way))
    for name, each in took.items():
        print(f"g, {name}: {', '.join(f'{one:.1f}' for one in each)} s", flush=True)
    with ExitStack() as started:
        took["own flow"] = [_seconds(_alone(started, "pyannote-flow", path))]
    seconds = {name: median(each) for name, each in took.items()}
    ratios = {
        "speakers alone by words alone": seconds["speakers alone"] / seconds["words alone"],
        "with speakers by words over HTTP": seconds["with speakers"] / seconds["words over HTTP"],
        "pyannote's own flow by ours": seconds["own flow"] / seconds["speakers alone"],
    }
    print(f"\n(g) the speakers of a recording of {long_recording().seconds / 60:.1f} min")
    print(table(["", "s"], [[name, each] for name, each in seconds.items()]))
    print(table(["", "×"], [[name, each] for name, each in ratios.items()]))
    return {"seconds": took, "ratios": ratios}


def hours_with_speakers(hours: float) -> list[dict[str, Any]]:
    """What a recording of so many hours costs, beside the long one, of which it is made.

    Raises NoSpeech.
    """
    recording = long_recording()
    found, rows = [], []
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder, graph() as running:
        idle = running.memory
        for times in (1, math.ceil(hours * 3600 / recording.seconds)):
            path = repeated(recording.path, times, Path(folder) / "hours.mka")
            began = perf_counter()
            with PeakMemory(running.process) as peak:
                running.client.transcribe(path, language="en", speakers="true")
            minutes = times * recording.seconds / 60
            took = perf_counter() - began
            rows.append([minutes, took, took / minutes, round((peak.bytes - idle) / _MB)])
            found.append({"minutes": minutes, "seconds": took, "growth": peak.bytes - idle})
    print("\n(h) hours with speakers")
    print(table(["minutes", "wall, s", "s a minute", "growth over idle, MB"], rows))
    return found


def _alone(started: ExitStack, kind: str, path: Path) -> Callable[[], object]:
    options = {} if kind == "engine" else {"threads": usable_cores()}
    worker = started.enter_context(Worker(kind, **options))
    worker.prepare([path])
    return lambda: worker.run([path])


def _seconds(way: Callable[[], object]) -> float:
    began = perf_counter()
    way()
    return perf_counter() - began
