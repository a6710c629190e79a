"""Where to cut a recording into windows: few, full, and between words.

The cuts are a shortest path. Its nodes are the places between pieces of speech, its edges the
windows that would reach from one to the next, and an edge costs what the window does: a
constant, its seconds, a charge for the cut at its end that falls with the length of the pause
there, and one for what may be no speech beside speech. So cuts gather in the longest pauses, long
silences are left out because their seconds cost more than a second window, and as few windows as
possible are made otherwise.

The path over a whole recording cannot be waited for. Each window is settled from a path over
the speech of three windows; what comes later changes it hardly ever.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from deployments.audio.speech.pieces import Piece
from interchange.stages import SAMPLE_RATE

PAD = round(0.3 * SAMPLE_RATE)
"""Samples kept before and after speech, so that no soft sound of a word is lost."""

MAX_PAUSE = 3 * SAMPLE_RATE
"""A longer pause always ends a window."""

_HORIZON = 3  # windows
_SPEECH_PAD = round(0.1 * SAMPLE_RATE)

# In seconds of recognition. A window costs one to begin, the silence encoded behind its speech; the
# other is the worth of context: Whisper writes better text, and knows the language better, in
# longer windows.
_WINDOW_COST = 2.0
_CUT_COST = 6.0  # of a cut in a pause of no length
_CUT_DECAY_S = 0.25
_BREAK_COST = 8.0  # of a cut within speech, as quiet as can be
_BREAK_RANGE = 4.0
_MIXED_COST = 5.0  # of faint speech beside other: it may be music, which is better left out


@dataclass(frozen=True, slots=True)
class Stretch:
    """A window to be: samples `start` to `end` of the recording, and the speech in it, all of which
    may be `faint`."""

    start: int
    end: int
    speech: tuple[tuple[int, int], ...]
    faint: bool = False


@dataclass(frozen=True, slots=True)
class _Node:
    """A piece, the samples that a window beginning with it has before it, those that the window
    ahead has behind its last, the cost of that cut."""

    piece: Piece
    lead: int
    trail: int
    cost: float


class WindowPlanner:
    """Plans the windows of one recording as its pieces come, in order.

    Windows do not overlap, hold every piece, and are at most `window_s` long, the first at most
    `first_s`. A window begins `lead` samples before speech. The same pieces give the same windows,
    whenever they come.
    """

    def __init__(self, window_s: float, first_s: float | None = None, lead: int = PAD) -> None:
        self._limit = math.floor(window_s * SAMPLE_RATE)
        # None once the first window is settled, after which it is one like the others.
        self._first_limit = math.floor(first_s * SAMPLE_RATE) if first_s is not None else None
        self._lead = lead
        self._nodes: list[_Node] = []
        self._last_end: int | None = None

    @property
    def needed_from(self) -> int | None:
        """The first sample that a planned but unsettled window needs; None without any."""
        return self._nodes[0].piece.start - self._nodes[0].lead if self._nodes else None

    def add(self, piece: Piece) -> Iterator[Stretch]:
        """The windows that `piece` settles."""
        if self._last_end is None:
            node = _Node(piece, min(self._lead, piece.start), 0, 0.0)
        else:
            pause = piece.start - self._last_end
            if pause >= MAX_PAUSE:
                yield from self._settle_all(PAD)
            half = pause // 2
            node = _Node(piece, min(self._lead, half), min(PAD, half), _cut_cost(pause, piece.bond))
        self._nodes.append(node)
        self._last_end = piece.end
        while self._nodes and piece.end - self._nodes[0].piece.start > self._horizon:
            yield self._settle_first()

    def advance(self, position: int) -> Iterator[Stretch]:
        """The windows that are settled because no piece starts before sample `position`."""
        if self._last_end is not None and position - self._last_end >= MAX_PAUSE:
            yield from self._settle_all(PAD)

    def finish(self, length: int) -> Iterator[Stretch]:
        """The remaining windows of a recording of `length` samples."""
        if self._last_end is not None:
            yield from self._settle_all(min(PAD, length - self._last_end))

    @property
    def _horizon(self) -> int:
        """Samples of speech after which the next window is settled: whoever waits for the first
        gets it as soon as it is full."""
        return _HORIZON * self._limit if self._first_limit is None else self._first_limit

    def _settle_first(self) -> Stretch:
        # What follows the last piece is not known yet: one that goes on leaves no room.
        return self._take(self._shortest_path(trail=0, open_end=True)[0], trail=0)

    def _settle_all(self, trail: int) -> Iterator[Stretch]:
        if self._nodes:
            for count in self._shortest_path(trail, open_end=False):
                yield self._take(count, trail)

    def _take(self, count: int, trail: int) -> Stretch:
        stretch = self._stretch(count, trail)
        del self._nodes[:count]
        self._first_limit = None
        return stretch

    def _bounds(self, first: int, last: int, trail: int) -> tuple[int, int]:
        """Start and end of the window of nodes `first` to `last`.

        The padding gives way where the window would be too long otherwise: recordings of
        thirty seconds, give or take a few samples, are common.
        """
        lead = self._nodes[first].lead
        after = self._nodes[last + 1].trail if last + 1 < len(self._nodes) else trail
        start = self._nodes[first].piece.start - lead
        end = self._nodes[last].piece.end + after
        excess = end - start - self._limit_of(first)
        if excess > 0:
            from_end = min(excess, max(after - _SPEECH_PAD, 0))
            end -= from_end
            start += min(excess - from_end, max(lead - _SPEECH_PAD, 0))
        return start, end

    def _limit_of(self, first: int) -> int:
        """The longest window that begins with node `first`."""
        if first == 0 and self._first_limit is not None:
            return min(self._first_limit, self._limit)
        return self._limit

    def _stretch(self, count: int, trail: int) -> Stretch:
        """The window of the first `count` nodes; `trail` samples follow the very last one."""
        inside = self._nodes[:count]
        start, end = self._bounds(0, count - 1, trail)
        speech: list[tuple[int, int]] = []
        for node in inside:
            if speech and node.piece.bond is not None:
                speech[-1] = (speech[-1][0], node.piece.end - start)
            else:
                speech.append((node.piece.start - start, node.piece.end - start))
        faint = all(node.piece.faint for node in inside)
        return Stretch(start, end, _padded(speech, end - start), faint)

    def _shortest_path(self, trail: int, *, open_end: bool) -> list[int]:
        """How many nodes each window on the path takes, in order.

        With `open_end` the recording goes on, and so may the last window: it is charged the
        share of a window's cost that it fills. Charged whole, it would tempt the windows
        before it to be as short.
        """
        nodes = self._nodes
        costs = [0.0]
        origins = [0]
        for last in range(len(nodes)):
            at_end = last + 1 == len(nodes)
            cut = 0.0 if at_end else nodes[last + 1].cost
            best, origin = math.inf, last
            kinds: set[bool] = set()
            for first in range(last, -1, -1):
                kinds.add(nodes[first].piece.faint)
                start, end = self._bounds(first, last, trail)
                length = end - start
                if length > self._limit_of(first):
                    break
                share = length / self._limit if open_end and at_end else 1.0
                mixed = _MIXED_COST if len(kinds) > 1 else 0.0
                cost = costs[first] + _WINDOW_COST * share + length / SAMPLE_RATE + cut + mixed
                if cost < best:
                    best, origin = cost, first
            costs.append(best)
            origins.append(origin)
        counts: list[int] = []
        node = len(nodes)
        while node:
            counts.append(node - origins[node])
            node = origins[node]
        return counts[::-1]


def _cut_cost(pause: int, bond: float | None) -> float:
    if bond is not None:
        return _BREAK_COST + _BREAK_RANGE * bond
    return _CUT_COST * math.exp(-pause / SAMPLE_RATE / _CUT_DECAY_S)


def _padded(speech: list[tuple[int, int]], length: int) -> tuple[tuple[int, int], ...]:
    """Spans widened a little, as detectors lag, without touching each other."""
    edges = [0, *(edge for span in speech for edge in span), length]
    padded = []
    for index, (start, end) in enumerate(speech):
        before, after = edges[2 * index], edges[2 * index + 3]
        # The outer gaps are the window's own padding, of which all may be used.
        room_before = start - before if index == 0 else (start - before) // 2
        room_after = after - end if index == len(speech) - 1 else (after - end) // 2
        padded.append((start - min(_SPEECH_PAD, room_before), end + min(_SPEECH_PAD, room_after)))
    return tuple(padded)
