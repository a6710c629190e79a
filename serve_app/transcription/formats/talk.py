"""Who talks how long, and where several do at once."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from interchange.transcript import Segment, Turn, Word

_LEAST_S = 0.1
"""Times of words and turns are that exact; of a shorter word half of it counts."""


def talk_seconds(turns: Sequence[Turn]) -> dict[str, float]:
    """Seconds of each speaker, those first who talk first."""
    return {
        speaker: sum(end - start for start, end in spans)
        for speaker, spans in _spans(turns).items()
    }


class Overlaps:
    """Where two or more of a recording's speakers talk at the same time."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        edges = sorted(
            (time, step)
            for spans in _spans(turns).values()
            for start, end in spans
            for time, step in ((start, 1), (end, -1))
        )
        talking = list(accumulate(step for _, step in edges))
        self._starts: list[float] = []
        self._before = [0.0]  # seconds of overlap that lie before each stretch, and after the last
        self._ends: list[float] = []
        for (start, _), (end, _), count in zip(edges, edges[1:], talking, strict=False):
            if count > 1 and end > start:
                self._starts.append(start)
                self._ends.append(end)
                self._before.append(self._before[-1] + end - start)

    def __call__(self, part: Segment | Word) -> bool:
        """Whether somebody else talks while this is said: a segment if it is so for one of its
        words."""
        if isinstance(part, Segment) and part.words:
            return any(map(self, part.words))
        seconds = self._until(part.end) - self._until(part.start)
        return seconds > 0 and seconds >= min(_LEAST_S, (part.end - part.start) / 2)

    def _until(self, time: float) -> float:
        """Seconds of overlap before a time."""
        count = bisect_right(self._starts, time)
        if count == 0:
            return 0.0
        return self._before[count] - max(0.0, self._ends[count - 1] - time)


def _spans(turns: Sequence[Turn]) -> dict[str, list[tuple[float, float]]]:
    """When each speaker talks, in spans that do not touch."""
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in sorted(turns, key=lambda each: (each.start, each.end)):
        spans = found.setdefault(turn.speaker, [])
        if spans and turn.start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], turn.end))
        else:
            spans.append((turn.start, turn.end))
    return found
