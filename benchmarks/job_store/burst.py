"""Bursts of jobs upon a busy SQLite store: `python -m benchmarks.job_store.burst`.

Real processes (see `process.py`): one works on 16 jobs at once, another takes in 30 more at the
same moment, again and again. With `--against` the same is asked of another checkout, in turns.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measuring import results
from benchmarks.measuring.tables import Cell, table

HERE = Path(__file__).parents[2]

_PROCESS = Path(__file__).with_name("process.py")
_NICE = 15  # as the service's processes run
_START_S = 60


def burst(code: Path, bursts: int, rivals: int) -> dict[str, Any]:
    """What became of `bursts` times 30 posts at once, while 16 jobs are worked on by the code of
    that checkout; as many busy `rivals` take the processor, at a better priority."""
    with tempfile.TemporaryDirectory(prefix="rayscribe-burst-") as name, ExitStack() as stack:
        folder = Path(name)
        manager = stack.enter_context(_running(_command("manager", folder), code))
        _await(manager, folder / "manager")
        ingress = stack.enter_context(_running([*_command("ingress", folder), str(bursts)], code))
        _await(ingress, folder / "ingress")
        for _ in range(rivals):
            stack.enter_context(_running([sys.executable, "-c", "while True: pass"]))
        posted = json.loads(ingress.communicate()[0])
        manager.terminate()
        kept = json.loads(manager.communicate()[0])
        return dict(posted | kept)


def _await(process: subprocess.Popen[str], ready: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The process {ready.name!r} did not start.")
        time.sleep(0.1)


def summary(rounds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Counts, and milliseconds."""
    posts, kept, refused = (
        sorted(1000 * seconds for each in rounds for seconds in each[name])
        for name in ("accepted_s", "kept_s", "refused_s")
    )
    return {
        "posts": len(posts) + len(refused),
        "posts refused": len(refused),
        "jobs lost": sum(each["lost"] for each in rounds),
        **_spread("post", posts),
        "checkpoints": len(kept),
        **_spread("checkpoint", kept),
    }


def _spread(what: str, waits: Sequence[float]) -> dict[str, float]:
    shares = {"median": 0.5, "p95": 0.95, "worst": 1.0}
    last = len(waits) - 1
    return {
        f"{what}, ms, {name}": waits[int(share * last)] if waits else float("nan")
        for name, share in shares.items()
    }


def _command(role: str, folder: Path) -> list[str]:
    return ["nice", "-n", str(_NICE), sys.executable, str(_PROCESS), role, str(folder)]


@contextmanager
def _running(command: list[str], code: Path = HERE) -> Iterator[subprocess.Popen[str]]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("RAYSCRIBE_")}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=mine | {"PYTHONPATH": str(code)}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def main(
    against: Annotated[
        Path | None, typer.Option(help="Another checkout, of which the same is asked.")
    ] = None,
    bursts: Annotated[int, typer.Option(min=1, help="Bursts of a round.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, each with a new store.")] = 1,
    rivals: Annotated[int, typer.Option(min=0, help="Busy processes at a better priority.")] = 0,
) -> None:
    """Print how many posts were refused, and how long posts and checkpoints waited."""
    codes = {"this": HERE} if against is None else {"other": against.resolve(), "this": HERE}
    found = defaultdict(list)
    for _ in range(rounds):
        for name, code in codes.items():
            found[name].append(burst(code, bursts, rivals))
    figures = {name: summary(each) for name, each in found.items()}
    _report(figures)
    path = results.write("job-store-burst", {"bursts": bursts, "rivals": rivals, **figures})
    typer.echo(f"\nWritten to {path}")


def _report(figures: Mapping[str, Mapping[str, float]]) -> None:
    rows: list[list[Cell]] = []
    for name in figures["this"]:
        row: list[Cell] = [name, *(each[name] for each in figures.values())]
        if "other" in figures:
            here = figures["this"][name]
            row.append(figures["other"][name] / here if "ms" in name and here else None)
        rows.append(row)
    ratio = ["other / this"] if "other" in figures else []
    typer.echo(table(["", *figures, *ratio], rows))


if __name__ == "__main__":
    typer.run(main)
