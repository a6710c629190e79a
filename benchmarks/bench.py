"""How fast it is, beside its peers: `make bench`, or `python -m benchmarks.bench --help`.

Every system runs in processes of its own, which are started for each run and ended after it.
What is timed begins when its models are loaded and warm.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measuring import results
from benchmarks.measuring.comparison import Measured, best_peer, show, summary
from benchmarks.measuring.disturbance import DISTURBED, Disturbance
from benchmarks.measuring.recordings import NoSpeech
from benchmarks.systems.contenders import CONTENDERS, Running
from benchmarks.systems.worker import Run
from benchmarks.workloads.fairness import clips_beside_a_long_recording
from benchmarks.workloads.graph_speed import measure_graph
from benchmarks.workloads.length import hours_of_speech
from benchmarks.workloads.speakers import speakers_told_apart
from benchmarks.workloads.speakers_beside_words import hours_with_speakers, speakers_beside_words
from benchmarks.workloads.speed import Workload, workload

COMPARED = {
    "a": "rayscribe,fw-batched-int8,rayscribe-float32,fw-batched-float32,in-process,fw-int8,"
    "engine,fw-float32,transformers",
    "b": "rayscribe,fw-int8,rayscribe-float32,fw-float32,fw-workers-int8,in-process",
    "c": "rayscribe,fw-int8,rayscribe-float32,fw-float32,in-process",
}
"""Who takes part in a workload, in the order of a round: ours and others in turn."""

_TRIES = 3

ALONE = ("d", "e", "f", "g", "h")
"""Workloads with a table of their own."""


def main(
    *,
    workloads: Annotated[
        str,
        typer.Option(
            help="a: a long recording; b: 64 clips from 16 clients; c: one clip at a time; "
            "d: clips while a long recording runs; e: hours of speech; "
            "f: speakers told apart; g: speakers beside words; h: hours with speakers."
        ),
    ] = "a,b,c,d,e,f",
    repeats: Annotated[
        int,
        typer.Option(
            min=1,
            help="Rounds. The first has every peer, the others the fastest of them.",
        ),
    ] = 3,
    systems: Annotated[
        str, typer.Option(help=f"Who takes part, in this order: {', '.join(CONTENDERS)}.")
    ] = "",
    hours: Annotated[float, typer.Option(help="How long the recording of e and h is.")] = 3.0,
    threads: Annotated[str, typer.Option(help="Of each diarizer in f, in turn.")] = "2,1",
    graph: Annotated[
        bool,
        typer.Option("--graph", help="Measure the graph itself, with an engine that sleeps."),
    ] = False,
    replicas: Annotated[str, typer.Option(help="With --graph: how many recognizers.")] = "1,2,4,8",
    proceed: Annotated[
        Path | None,
        typer.Option("--continue", help="Add rounds of a, b and c to what this file holds."),
    ] = None,
) -> None:
    """Measure Rayscribe beside its peers, print a table, and write JSON."""
    chosen = [name.strip() for name in workloads.split(",")]
    if unknown := set(chosen) - {*COMPARED, *ALONE}:
        raise typer.BadParameter(f"There is no workload {', '.join(sorted(unknown))}.")
    names = [name.strip() for name in systems.split(",") if name.strip()]
    if unknown := set(names) - set(CONTENDERS):
        raise typer.BadParameter(f"There is no system {', '.join(sorted(unknown))}.")
    try:
        if graph:
            _leave("graph", measure_graph([int(count) for count in replicas.split(",")]))
            return
        found: dict[str, Any] = {}
        if compared := [name for name in chosen if name in COMPARED]:
            runs = _earlier(proceed)
            for name in compared:
                _compare(name, names or COMPARED[name].split(","), repeats, runs)
            found["runs"] = [asdict(run) for run in runs]
        if "d" in chosen:
            found["d"] = clips_beside_a_long_recording(repeats)
        if "e" in chosen:
            found["e"] = hours_of_speech(hours)
        if "f" in chosen:
            counts = [int(count) for count in threads.split(",")]
            found["f"] = speakers_told_apart(repeats, counts)
        if "g" in chosen:
            found["g"] = speakers_beside_words(repeats)
        if "h" in chosen:
            found["h"] = hours_with_speakers(hours)
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    _leave("bench", found)


def _compare(name: str, systems: list[str], repeats: int, runs: list[Measured]) -> None:
    """Add rounds of a workload to `runs`, and print the table of all of them."""
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as temporary:
        title = ""
        for turn in range(repeats):
            fastest = best_peer([run for run in runs if run.workload == name])
            for system in systems:
                contender = CONTENDERS[system]
                if turn and not contender.ours and system != fastest:
                    continue
                work = workload(name, system, Path(temporary))
                title, items = work.title, work.items
                with contender.start() as running:
                    running.prepare(work.paths)
                    run, others = _undisturbed(running, work)
                measured = Measured(
                    workload=name,
                    system=system,
                    title=contender.title,
                    ours=contender.ours,
                    items=len(work.recordings),
                    audio_s=work.audio_s,
                    seconds=run.seconds,
                    memory=run.memory,
                    wer=work.word_errors(run.texts),
                    others=others,
                )
                runs.append(measured)
                note = f", others took {others:.0%} of the processor" if others > DISTURBED else ""
                typer.echo(
                    f"{name}, round {turn + 1}, {contender.title}: {run.seconds:.1f} s{note}"
                )
    print(f"\n({name}) {title}")
    print(show(summary([run for run in runs if run.workload == name]), items))


def _undisturbed(running: Running, work: Workload) -> tuple[Run, float]:
    """A run, and the share of the processor that others took; repeated where that was much."""
    best: tuple[Run, float] | None = None
    for _ in range(_TRIES):
        with Disturbance() as disturbance:
            run = running.run(work.paths, work.clients)
        if best is None or disturbance.share < best[1]:
            best = run, disturbance.share
        if best[1] <= DISTURBED:
            break
    assert best is not None
    return best


def _earlier(path: Path | None) -> list[Measured]:
    if path is None or not path.exists():
        return []
    return [Measured(**run) for run in json.loads(path.read_text(encoding="utf-8"))["runs"]]


def _leave(name: str, found: dict[str, Any]) -> None:
    typer.echo(f"\nWritten to {results.write(name, found)}")


if __name__ == "__main__":
    typer.run(main)
