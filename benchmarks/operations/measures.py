"""What it costs the engine to be measured: `python -m benchmarks.operations.measures`.

The engine recognizes a recording several times over. Whatever it records meanwhile is kept, and
then recorded again as a replica does it, into Ray, by itself: so the seconds of the processor that
this takes are known, and those of the engine.
"""

import time
from collections.abc import Mapping
from typing import Annotated

import ray
import typer

from benchmarks.measuring import results
from benchmarks.measuring.tables import table
from benchmarks.systems.rayscribe import EngineAlone
from interchange import measures
from interchange.measures import Measure
from serve_app.reporting import report
from tests.support.recordings.speech import SAMPLE

_TRIES = 5

Record = tuple[Measure, float, Mapping[str, str]]


class _Kept(list[Record]):
    """A sink that keeps what it is told."""

    def record(self, measure: Measure, value: float, labels: Mapping[str, str]) -> None:
        self.append((measure, value, labels))


def main(
    times: Annotated[int, typer.Option(help="How often the recording is recognized.")] = 16,
) -> None:
    """Show the share of the engine's seconds of the processor that its measures take."""
    engine = EngineAlone()
    engine.prepare([SAMPLE])
    with measures.heard_by(_Kept()) as kept:
        began = time.process_time()
        engine.run([SAMPLE] * times, clients=8)
        worked = time.process_time() - began
    cost = min(_recorded(kept))
    windows, steps = _count(kept, measures.WINDOWS), _count(kept, measures.STEP_SECONDS)
    found = {
        "windows": windows,
        "steps": steps,
        "records": len(kept),
        "engine, s": worked,
        "measures, ms": 1e3 * cost,
        "a record, us": 1e6 * cost / len(kept),
        "a step, us": 1e6 * cost / steps,
    }
    typer.echo(table(["", "figure"], [[name, figure] for name, figure in found.items()]))
    typer.echo(f"Measures take {cost / worked:.3%} of the engine's seconds of the processor.")
    typer.echo(f"Written to {results.write('measures', found)}")


def _count(kept: _Kept, wanted: Measure) -> int:
    return sum(1 for measure, _, _ in kept if measure is wanted)


def _recorded(kept: _Kept) -> list[float]:
    """Seconds that it takes to record all of it, in several tries."""
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    found = []
    try:
        report()
        for _ in range(_TRIES):
            began = time.thread_time()
            for measure, value, labels in kept:
                measure.record(value, **labels)
            found.append(time.thread_time() - began)
    finally:
        measures.send_to(None)
        ray.shutdown()
    return found


if __name__ == "__main__":
    typer.run(main)
