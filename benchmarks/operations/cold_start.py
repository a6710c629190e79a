"""What a replica takes to start, by part: `python -m benchmarks.operations.cold_start`.

Each start is a process of its own, with the weights in this machine's cache. What Ray adds, a
worker that is placed and told what to do, is not in it: `make serve` prints how long each took.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Annotated

import typer

from benchmarks.measuring import results
from benchmarks.measuring.figures import median
from benchmarks.measuring.tables import Cell, table
from benchmarks.systems.worker import ROOT
from configs.settings import Settings

PARTS = ("process", "imports", "weights", "warm-up")
CLOCKS = ("clock", "processor")

Parts = dict[str, float]

Steps = Iterator[str]
"""Yields the name of each part when it is done."""


def main(
    repeats: Annotated[int, typer.Option(help="Starts of each stage; medians are shown.")] = 3,
    imports: Annotated[int, typer.Option(help="Show so many of the longest imports.")] = 8,
    stages: Annotated[str, typer.Option(help="Their names; all of them if none is named.")] = "",
    stage: Annotated[str, typer.Option(help="Start this one here; for the command itself.")] = "",
) -> None:
    """Show the seconds of each part of a cold start."""
    if stage:
        _start(STAGES[stage])
        return
    names = [name.strip() for name in stages.split(",")] if stages else list(STAGES)
    found: dict[str, dict[str, Parts]] = {}
    for name in names:
        runs = [_measured(name) for _ in range(repeats)]
        found[name] = {
            clock: {part: median([run[clock][part] for run in runs]) for part in PARTS}
            for clock in CLOCKS
        }
    for clock in CLOCKS:
        rows: list[list[Cell]] = [
            [name, *each[clock].values(), sum(each[clock].values())] for name, each in found.items()
        ]
        typer.echo(table([f"seconds of the {clock}", *PARTS, "all"], rows) + "\n")
    for name in names:
        longest = _longest_imports(name, imports)
        typer.echo(f"{name}: " + ", ".join(f"{module} {s:.2f} s" for module, s in longest))
    typer.echo(f"\nWritten to {results.write('cold-start', found)}")


# Each imports what its deployment does, when it is asked to.


def _loader() -> Steps:
    import deployments.audio.deployment  # noqa: F401, PLC0415
    from deployments.audio.loader import Loader  # noqa: PLC0415

    yield "imports"
    loader = Loader(Settings())
    yield "weights"
    loader.check()
    yield "warm-up"


def _recognizer() -> Steps:
    import deployments.recognition.build  # noqa: PLC0415
    import deployments.recognition.deployment  # noqa: F401, PLC0415
    from deployments.recognition.engines import build_engine  # noqa: PLC0415

    yield "imports"
    engine = build_engine(Settings().recognition)
    yield "weights"
    engine.start()
    yield "warm-up"
    engine.stop()


def _diarizer() -> Steps:
    import deployments.diarization.deployment  # noqa: F401, PLC0415
    from deployments.diarization.pipeline import Diarizer  # noqa: PLC0415

    yield "imports"
    diarizer = Diarizer(Settings().diarization)
    yield "weights"
    diarizer.warm_up()
    yield "warm-up"


STAGES: dict[str, Callable[[], Steps]] = {
    "AudioLoader": _loader,
    "SpeechRecognizer": _recognizer,
    "SpeakerDiarizer": _diarizer,
}


def _start(steps: Callable[[], Steps]) -> None:
    last = time.time(), time.process_time()
    began, took = last, {"process": (0.0, last[1])}
    for part in steps():
        now = time.time(), time.process_time()
        took[part] = now[0] - last[0], now[1] - last[1]
        last = now
    print(json.dumps({"began": began[0], "took": took}))


def _measured(stage: str) -> dict[str, Parts]:
    """The seconds of each part by either clock."""
    began = time.time()
    found = json.loads(_run([], stage).stdout.splitlines()[-1])
    took = found["took"]
    took["process"][0] = found["began"] - began
    return {
        clock: {part: took[part][index] for part in PARTS} for index, clock in enumerate(CLOCKS)
    }


def _longest_imports(stage: str, count: int) -> list[tuple[str, float]]:
    """The modules with most time of their own and of what they import first, and that seconds."""
    lines = [
        line.removeprefix("import time:").split("|")
        for line in _run(["-X", "importtime"], stage).stderr.splitlines()
        if line.startswith("import time:") and "imported package" not in line
    ]
    outer = [
        (name.strip(), int(together) / 1e6)
        for _, together, name in lines
        if "." not in name.strip()
    ]
    return sorted(outer, key=lambda each: -each[1])[:count]


def _run(options: list[str], stage: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-m", "benchmarks.operations.cold_start", "--stage", stage]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


if __name__ == "__main__":
    typer.run(main)
