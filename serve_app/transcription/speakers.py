"""Who said which words: speaker turns onto segments and words.

Each word has a cost for each speaker: the part of it during which that speaker does not talk, and
where nobody does, how far away that speaker's turns are. A change of speaker costs as well: little
where a sentence ends or somebody pauses, much in the middle of a clause. The speakers of a
recording are the cheapest way through all its words (a Viterbi path).

So a change snaps to the end of a clause: word times are good to a tenth of a second, turn times as
well, and one or two words of another speaker within a clause are an error of times. Where turns
overlap, whoever talks goes on.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

from interchange.transcript import Segment, Turn, Word

_PAUSE_S = 0.3
"""Silence between two words at which another may begin to talk."""
_FAR_S = 2.0
"""From here on all turns are equally far from a word during which nobody talks."""
_WORD_S = 0.3
"""What a word takes: a whole segment counts as so many."""
_LONG_WORD_S = 2.0
"""What takes longer is more than a word, whatever it is called."""
_AFTER_SENTENCE = 0.4  # what a change costs there, in words without their speaker
_AFTER_PAUSE = 1.2
_AFTER_CLAUSE = 1.5
_WITHIN_CLAUSE = 3.0
_SENTENCE_ENDS = tuple(".!?…。！？｡؟۔।။።")
_CLAUSE_ENDS = tuple(",;:、，；：､،؛၊፣")
_QUOTES = "\"'”’»」』)）"


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker says until another begins. `text` keeps its leading space."""

    speaker: str
    start: float
    end: float
    text: str


def label(number: int) -> str:
    """What a speaker without a name is called."""
    return f"SPEAKER_{number:02d}"


def is_label(speaker: str) -> bool:
    return speaker.startswith("SPEAKER_")


def named(turns: Sequence[Turn], names: Sequence[str]) -> tuple[Turn, ...]:
    """Turns with the first of `names` for SPEAKER_00, the second for SPEAKER_01, and so on.

    Speakers beyond the last name keep their labels; names beyond the last speaker are not used.
    """
    return tuple(replace(turn, speaker=name_of(turn.speaker, names)) for turn in turns)


def name_of(speaker: str, names: Sequence[str]) -> str:
    """The one of `names` that is written for a speaker's label, or else the speaker."""
    number = speaker.removeprefix("SPEAKER_")
    known = number != speaker and number.isdecimal() and int(number) < len(names)
    return names[int(number)] if known else speaker


def assign(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """Segments and words with their speakers.

    A segment with words is split where the speaker changes; each part keeps the segment's figures
    and has the tokens of its own words. A segment without words goes whole to one speaker. Texts,
    their order, words and word times stay as they are. Without turns the segments come back
    unchanged.
    """
    if not turns:
        return tuple(segments)
    spoken = [part for segment in segments for part in segment.words or (segment,)]
    speakers = iter(_likeliest(spoken, _Timeline(turns)))
    assigned: list[Segment] = []
    for segment in segments:
        if segment.words:
            words = tuple(replace(word, speaker=next(speakers)) for word in segment.words)
            assigned += _split(segment, words)
        else:
            assigned.append(replace(segment, speaker=next(speakers)))
    return tuple(assigned)


def utterances(segments: Sequence[Segment]) -> tuple[Utterance, ...]:
    """Consecutive segments of one speaker, joined. Segments without a speaker are left out:
    there are none after `assign`, unless nobody was found to speak."""
    joined = []
    for speaker, run in groupby(segments, key=lambda segment: segment.speaker):
        if speaker is not None:
            parts = list(run)
            end = max(part.end for part in parts)
            text = "".join(part.text for part in parts)
            joined.append(Utterance(speaker, parts[0].start, end, text))
    return tuple(joined)


# ----------------------------------------------------------------------------------- splitting


def _split(segment: Segment, words: tuple[Word, ...]) -> Iterator[Segment]:
    if "".join(word.text for word in words) != segment.text:
        # The words do not spell the text, so it cannot be cut between them.
        longest = max(words, key=lambda word: word.end - word.start)
        yield replace(segment, words=words, speaker=longest.speaker)
        return
    parts = [tuple(run) for _, run in groupby(words, key=lambda word: word.speaker)]
    tokens = _tokens(segment, parts)
    for i, part in enumerate(parts):
        yield replace(
            segment,
            start=segment.start if i == 0 else part[0].start,
            end=segment.end if i == len(parts) - 1 else part[-1].end,
            text="".join(word.text for word in part),
            tokens=segment.tokens[tokens[i]],
            spelled=segment.spelled[tokens[i]],
            words=part,
            speaker=part[0].speaker,
        )


def _tokens(segment: Segment, parts: Sequence[tuple[Word, ...]]) -> list[slice]:
    """Where the tokens of each part are; all are the first one's if words do not say how many
    they have."""
    counts = [sum(word.token_count for word in part) for part in parts]
    if sum(counts) != len(segment.tokens):
        return [slice(None), *[slice(0, 0)] * (len(parts) - 1)]
    return [slice(first, end) for first, end in pairwise([0, *accumulate(counts)])]


# ------------------------------------------------------------------------------------ the path


def _likeliest(spoken: Sequence[Segment | Word], timeline: "_Timeline") -> list[str]:
    """The speaker of each word or whole segment, in order."""
    names = timeline.speakers
    costs = [0.0] * len(names)
    origins: list[list[int]] = []
    before: Segment | Word | None = None
    for part in spoken:
        change = 0.0 if before is None else _change_cost(before, part)
        cheapest = min(costs)
        best, changed = costs.index(cheapest), cheapest + change
        # Whoever talks goes on where a change gains nothing.
        came_from = [n if cost <= changed else best for n, cost in enumerate(costs)]
        usual = _WORD_S if isinstance(part, Segment) else _LONG_WORD_S
        words = max(1.0, (part.end - part.start) / usual)
        own = timeline.costs(part.start, part.end)
        costs = [min(cost, changed) + words * extra for cost, extra in zip(costs, own, strict=True)]
        origins.append(came_from)
        before = part
    path: list[str] = []
    speaker = min(range(len(names)), key=costs.__getitem__, default=0)
    for came_from in reversed(origins):
        path.append(names[speaker])
        speaker = came_from[speaker]
    return path[::-1]


def _change_cost(before: Segment | Word, part: Segment | Word) -> float:
    ending = before.text.rstrip().rstrip(_QUOTES)
    if ending.endswith(_SENTENCE_ENDS):
        return _AFTER_SENTENCE
    if part.start - before.end >= _PAUSE_S:
        return _AFTER_PAUSE
    return _AFTER_CLAUSE if ending.endswith(_CLAUSE_ENDS) else _WITHIN_CLAUSE


class _Timeline:
    """Turns, searchable by time: a word costs a bisection and the turns it touches."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))
        self._starts = [turn.start for turn in self._turns]
        # Index of the turn that ends last among the first n + 1: how far back to look.
        self._latest: list[int] = list(accumulate(range(len(self._turns)), self._later_end))
        self.speakers = tuple(dict.fromkeys(turn.speaker for turn in self._turns))
        self._numbers = {speaker: number for number, speaker in enumerate(self.speakers)}

    def _later_end(self, a: int, b: int) -> int:
        return b if self._turns[b].end > self._turns[a].end else a

    def costs(self, start: float, end: float) -> list[float]:
        """For each speaker the share of this time in which that one does not talk; where nobody
        does, how far away the nearest turn is, from 0 to 1."""
        costs = [1.0] * len(self.speakers)
        touching = self._touching(start, end)
        talk: dict[int, float] = {}
        for turn in touching:
            overlap = min(end, turn.end) - max(start, turn.start)
            if overlap > 0:
                number = self._numbers[turn.speaker]
                talk[number] = talk.get(number, 0.0) + overlap
        if talk:
            for number, seconds in talk.items():
                costs[number] = max(0.0, 1 - seconds / (end - start))
            return costs
        for turn in self._touching(start - _FAR_S, end + _FAR_S) or [self._nearest(start, end)]:
            number = self._numbers[turn.speaker]
            distance = max(turn.start - end, start - turn.end, 0.0)
            costs[number] = min(costs[number], distance / (distance + _FAR_S))
        return costs

    def _touching(self, start: float, end: float) -> list[Turn]:
        touching = []
        for i in range(bisect_left(self._starts, end) - 1, -1, -1):
            if self._turns[self._latest[i]].end <= start:
                break
            if self._turns[i].end > start:
                touching.append(self._turns[i])
        return touching

    def _nearest(self, start: float, end: float) -> Turn:
        after = bisect_left(self._starts, end)
        if after == 0:
            return self._turns[0]
        earlier = self._turns[self._latest[after - 1]]
        if after == len(self._turns):
            return earlier
        later = self._turns[after]
        return earlier if start - earlier.end <= later.start - end else later
