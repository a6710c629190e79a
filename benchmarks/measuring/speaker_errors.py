"""Diarization error rates, by pyannote.metrics."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from interchange.transcript import Turn

COLLAR_S = 0.25
"""Seconds at each boundary of the reference that are not judged, half of them on each side:
what pyannote.metrics calls its collar. NIST means by 0.25 s so much on each side."""

NIST_COLLAR_S = 2 * COLLAR_S
"""What NIST calls a collar of 0.25 s."""
NOT_FOR_SPEAKERS = "mix_bilingual"
"""A conversation whose reference counts a voice that speaks two languages as two speakers."""


def diarization_error_rate(
    reference: list[Turn], found: list[Turn], duration: float, collar: float = COLLAR_S
) -> float:
    """Missed, invented and confused speech over that of the reference, overlaps judged too.

    `duration` is that of the recording in seconds: speech found behind the last turn of the
    reference is an error as well. `collar` is in pyannote's sense.
    """
    metric = DiarizationErrorRate(collar=collar, skip_overlap=False)
    judged = Timeline([Segment(0, duration)])
    return float(metric(_annotation(reference), _annotation(found), uem=judged))


def read_rttm(path: Path) -> list[Turn]:
    """The turns of an RTTM file (NIST), in its order."""
    turns = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            start, length = float(fields[3]), float(fields[4])
            turns.append(Turn(start, start + length, fields[7]))
    return turns


def _annotation(turns: Iterable[Turn]) -> Any:
    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), number] = turn.speaker
    return annotation
