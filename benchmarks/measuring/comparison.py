"""Runs of several contenders on one workload, gathered and shown as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measuring.figures import ratio, spread
from benchmarks.measuring.tables import percent, table

_MB = 1e6


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: `audio_s` seconds of recordings took `seconds`; memory in bytes.

    `ours` tells Rayscribe from its peers. `wer` is None where there is no reference. `others`
    is the share of the processor that went to processes outside the comparison.
    """

    workload: str
    system: str
    title: str
    ours: bool
    items: int
    audio_s: float
    seconds: float
    memory: int
    wer: float | None
    others: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """The runs of one system: medians, and the factor by which it is faster than the best peer.

    Speeds are compared by seconds of audio a second, so that a peer which was given less than
    the others can be compared too.
    """

    system: str
    title: str
    runs: int
    seconds: float
    spread: float
    speed: float
    a_second: float
    wer: float | None
    memory: int
    to_best_peer: float | None


def summary(runs: Sequence[Measured]) -> list[Row]:
    """A row for each system in `runs`, which are all of one workload, in their order."""
    groups: dict[str, list[Measured]] = {}
    for run in runs:
        groups.setdefault(run.system, []).append(run)
    best = best_peer(runs)
    peer_speed = _speed(groups[best]) if best else None
    return [
        Row(
            system=name,
            title=group[0].title,
            runs=len(group),
            seconds=median(run.seconds for run in group),
            spread=spread([run.seconds for run in group]),
            speed=_speed(group),
            a_second=median(run.items / run.seconds for run in group),
            wer=None if group[0].wer is None else median(run.wer or 0.0 for run in group),
            memory=max(run.memory for run in group),
            to_best_peer=ratio(_speed(group), peer_speed),
        )
        for name, group in groups.items()
    ]


def best_peer(runs: Sequence[Measured]) -> str | None:
    """The fastest system that is not ours; None where no other took part."""
    peers: dict[str, list[Measured]] = {}
    for run in runs:
        if not run.ours:
            peers.setdefault(run.system, []).append(run)
    return max(peers, key=lambda name: _speed(peers[name]), default=None)


def show(rows: Sequence[Row], items: str | None = None) -> str:
    """The rows as a table; `items` names what is counted by the second, such as "clips"."""
    headings = ["system", "runs", "wall, s", "spread", "× real time"]
    headings += [f"{items} a second"] if items else []
    headings += ["WER", "peak memory, MB", "× best peer"]
    cells = []
    for row in rows:
        line: list[str | int | float | None] = [row.title, row.runs, row.seconds]
        line += [percent(row.spread, 0), row.speed]
        line += [row.a_second] if items else []
        line += [percent(row.wer), round(row.memory / _MB), row.to_best_peer]
        cells.append(line)
    return table(headings, cells)


def _speed(group: Sequence[Measured]) -> float:
    return median(run.audio_s / run.seconds for run in group)
