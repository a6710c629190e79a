"""Cutting a transcript into subtitles that can be read.

The limits are those that broadcasters' guides agree on: two lines of 42 columns, from one second
to seven, and 20 characters a second.

Where a cue ends is a shortest path over all that one speaker says without a pause. Its nodes are
the places where a line may break, its edges the cues that fit, and an edge costs what disturbs a
reader: the cue itself, an end within a sentence, a word left alone, too little time. A cue that
is filled up and then cut leaves such a word behind; the path does not.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from interchange.transcript import Transcript
from serve_app.transcription.formats.lines import LINE_COLUMNS, Strip
from serve_app.transcription.formats.spoken import Spoken, spoken
from serve_app.transcription.formats.units import SPACELESS, units, width

LEAST_SECONDS = 1.0
MOST_SECONDS = 7.0
LETTERS_PER_SECOND = 20.0
PAUSE_SECONDS = 1.0
"""A silence this long between two words ends a cue."""

_CUE_COST = 4.0
_WITHIN_CLAUSE_COST = 9.0  # of an end there
_WITHIN_SENTENCE_COST = 3.0
_WITHIN_WORD_COST = 30.0
_ALONE_COST = 60.0  # of a word that is a cue, though others are around it
_NARROW_COST = 0.2  # a column below half a line
_HURRY_COST = 12.0  # a second that reading it lacks
_PAUSE_WORTH = 8.0  # a second of silence behind a cue
_MOST_LABEL_COLUMNS = LINE_COLUMNS // 2

Label = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: `start` < `end` in milliseconds, one or two lines without markup.

    Where labels were asked for, the first line begins with that of the speaker.
    """

    start: int
    end: int
    lines: tuple[str, ...]
    speaker: str | None = None


def cues(transcript: Transcript, label: Label | None = None) -> Iterator[Cue]:
    """The cues of a transcript, in order; none begins before the one ahead of it has ended, unless
    the two are of two channels: who talks at the same time is read at the same time.

    `label` makes of a speaker's name what stands before the text.
    """
    tracks: dict[int | None, list[Spoken]] = {}
    for part in spoken(transcript):
        tracks.setdefault(part.channel, []).append(part)
    end = _milliseconds(transcript.duration)
    yield from heapq.merge(
        *(_track(each, label, end) for each in tracks.values()), key=lambda cue: cue.start
    )


def _track(stream: Iterable[Spoken], label: Label | None, end: int) -> Iterator[Cue]:
    """The cues of one channel, or of the mix, of a recording that ends then."""
    ready: Cue | None = None
    for run in _runs(stream):
        for cue in _cut(run, label):
            start = max(cue.start, ready.end if ready else 0)
            cue = Cue(start, max(cue.end, start + 1), cue.lines, cue.speaker)  # noqa: PLW2901
            if ready:
                yield _lasting(ready, cue.start)
            ready = cue
    if ready:
        yield _lasting(ready, max(ready.end, end))


def _runs(stream: Iterable[Spoken]) -> Iterator[list[Spoken]]:
    """What one speaker says without a pause."""
    run: list[Spoken] = []
    for part in stream:
        last = run[-1] if run else part
        if part.speaker != last.speaker or part.start - last.end >= PAUSE_SECONDS:
            yield run
            run = []
        run.append(part)
    yield run


def _cut(run: list[Spoken], label: Label | None) -> Iterator[Cue]:
    """The cues of a run; how long they stay is not decided yet."""
    if not run:
        return
    speaker = run[0].speaker
    before = _shortened(label(speaker)) if label and speaker else ""
    found = units(run, LINE_COLUMNS - width(before))
    strip = Strip(found, width(before), spaceless=run[0].language in SPACELESS)
    for first, end in _shortest_path(strip):
        lines = strip.lines(first, end)
        start, stop = found[first].start, found[end - 1].end
        yield Cue(
            _milliseconds(start),
            _milliseconds(min(stop, start + MOST_SECONDS)),
            (before + lines[0], *lines[1:]),
            speaker,
        )


def _shortened(label: str) -> str:
    """A label that leaves room for text beside it."""
    if width(label) <= _MOST_LABEL_COLUMNS:
        return label
    while width(label) > _MOST_LABEL_COLUMNS - 3:
        label = label[:-1]
    return f"{label}…: "


def _shortest_path(strip: Strip) -> list[tuple[int, int]]:
    """First unit and end of each cue, in order."""
    count = len(strip.units)
    costs, origins = [0.0], [0]
    for end in range(1, count + 1):
        ending = _ending_cost(strip, end)
        best, origin = math.inf, end - 1
        for first in range(end - 1, -1, -1):
            seconds = strip.units[end - 1].end - strip.units[first].start
            # A unit is never parted, however long it is held.
            if first < end - 1 and (seconds > MOST_SECONDS or not strip.fits(first, end)):
                break
            cost = costs[first] + ending + _cue_cost(strip, first, end)
            if cost < best:
                best, origin = cost, first
        costs.append(best)
        origins.append(origin)
    path = []
    end = count
    while end:
        path.append((origins[end], end))
        end = origins[end]
    return path[::-1]


def _ending_cost(strip: Strip, end: int) -> float:
    """What it costs to end a cue there, whatever it holds."""
    if end == len(strip.units) or strip.ends_sentence(end):
        return 0.0
    pause = max(0.0, strip.units[end].start - strip.units[end - 1].end)
    cost = _WITHIN_SENTENCE_COST if strip.ends_clause(end) else _WITHIN_CLAUSE_COST
    cost -= min(cost, _PAUSE_WORTH * pause)
    return cost + _WITHIN_WORD_COST if strip.parts_word(end) else cost


def _cue_cost(strip: Strip, first: int, end: int) -> float:
    """What a cue costs, wherever it ends."""
    whole = first == 0 and end == len(strip.units)
    columns = strip.width(first, end)
    cost = _CUE_COST + _NARROW_COST * max(0, LINE_COLUMNS // 2 - columns)
    if not whole and strip.words(first, end) == 1:
        cost += _ALONE_COST
    last = end == len(strip.units)
    until = strip.units[end - 1].end + PAUSE_SECONDS if last else strip.units[end].start
    time = until - strip.units[first].start
    return cost + _HURRY_COST * max(0.0, _reading_time(columns) - time)


def _lasting(cue: Cue, free_until: int) -> Cue:
    """A cue that stays long enough to be read, where what follows leaves the time."""
    needed = _milliseconds(min(_reading_time(sum(map(width, cue.lines))), MOST_SECONDS))
    end = max(cue.end, min(cue.start + needed, free_until))
    return Cue(cue.start, end, cue.lines, cue.speaker)


def _reading_time(columns: int) -> float:
    return max(LEAST_SECONDS, columns / LETTERS_PER_SECOND)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
