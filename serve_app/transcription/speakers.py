"""Who said which words: speaker turns onto segments and words.

A word goes to the speaker who talks longest while it is said; where nobody does, to the
nearest turn, so that no word is ever dropped. Where several talk equally long, the speaker of
the word before goes on, else the turn that began first.

Word times are good to a tenth of a second, turn times as well. A lone word of another speaker
in the middle of a segment is therefore believed only if that other speaker alone talks while
it is said: it goes back to the speaker around it where the turns overlap or leave it out.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

from interchange.transcript import Segment, Turn, Word


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker says until another begins. `text` keeps its leading space."""

    speaker: str
    start: float
    end: float
    text: str


class Assignment:
    """Segments to speakers, one after another in the recording's order, by turns that are known."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._timeline = _Timeline(turns) if turns else None
        self._speaker: str | None = None

    def of(self, segment: Segment) -> tuple[Segment, ...]:
        """The segment and its words with their speakers.

        One with words is split where the speaker changes; a part keeps the segment's figures, and
        the first one its tokens, which cannot be told apart by word. One without words goes whole
        to the speaker with the greatest share. Texts, their order, words and word times stay as
        they are. Without turns it comes back unchanged.
        """
        if self._timeline is None:
            return (segment,)
        parts = tuple(_split(segment, self._timeline, self._speaker))
        self._speaker = parts[-1].speaker
        return parts


def assign(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """All segments of a recording, each as `Assignment` has it."""
    assignment = Assignment(turns)
    return tuple(part for segment in segments for part in assignment.of(segment))


def named(turns: Sequence[Turn], names: Sequence[str]) -> tuple[Turn, ...]:
    """Turns with the first of `names` for SPEAKER_00, the second for SPEAKER_01, and so on.

    Speakers beyond the last name keep their labels; names beyond the last speaker are not used.
    """
    labels = {f"SPEAKER_{number:02d}": name for number, name in enumerate(names)}
    return tuple(replace(turn, speaker=labels.get(turn.speaker, turn.speaker)) for turn in turns)


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


def _split(segment: Segment, timeline: "_Timeline", before: str | None) -> Iterator[Segment]:
    if not segment.words:
        yield replace(segment, speaker=timeline.speaker(segment.start, segment.end, before))
        return
    words = _words(segment.words, timeline, before)
    if "".join(word.text for word in words) != segment.text:
        # The words do not spell the text, so it cannot be cut between them.
        speaker = timeline.speaker(segment.start, segment.end, before)
        yield replace(segment, words=words, speaker=speaker)
        return
    parts = [tuple(run) for _, run in groupby(words, key=lambda word: word.speaker)]
    for i, part in enumerate(parts):
        first, last = i == 0, i == len(parts) - 1
        yield replace(
            segment,
            start=segment.start if first else part[0].start,
            end=segment.end if last else part[-1].end,
            text="".join(word.text for word in part),
            tokens=segment.tokens if first else (),
            spelled=segment.spelled if first else (),
            words=part,
            speaker=part[0].speaker,
        )


def _words(words: Sequence[Word], timeline: "_Timeline", before: str | None) -> tuple[Word, ...]:
    speakers: list[str] = []
    for word in words:
        before = timeline.speaker(word.start, word.end, before)
        speakers.append(before)
    for i in range(1, len(words) - 1):
        around = speakers[i - 1]
        if speakers[i] != around == speakers[i + 1]:
            talking = timeline.shares(words[i].start, words[i].end)
            if not talking or around in talking:
                speakers[i] = around
    return tuple(
        replace(word, speaker=speaker) for word, speaker in zip(words, speakers, strict=True)
    )


class _Timeline:
    """Turns, searchable by time: a word costs a bisection and the turns it touches."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))
        self._starts = [turn.start for turn in self._turns]
        # Index of the turn that ends last among the first n + 1: how far back to look.
        self._latest: list[int] = list(accumulate(range(len(self._turns)), self._later_end))

    def _later_end(self, a: int, b: int) -> int:
        return b if self._turns[b].end > self._turns[a].end else a

    def shares(self, start: float, end: float) -> dict[str, float]:
        """Seconds that each speaker talks between `start` and `end`, earliest turn first."""
        touching = []
        for i in range(bisect_left(self._starts, end) - 1, -1, -1):
            if self._turns[self._latest[i]].end <= start:
                break
            touching.append(self._turns[i])
        shares: dict[str, float] = {}
        for turn in reversed(touching):
            overlap = min(end, turn.end) - max(start, turn.start)
            if overlap > 0:
                shares[turn.speaker] = shares.get(turn.speaker, 0.0) + overlap
        return shares

    def speaker(self, start: float, end: float, before: str | None) -> str:
        """Who talks most between `start` and `end`, else whose turn is nearest."""
        shares = self.shares(start, end)
        if shares:
            most = max(shares.values())
            # Sums of times differ in their last digits: equal means equal to a microsecond.
            longest = [speaker for speaker, share in shares.items() if most - share < 1e-6]
            return before if before in longest else longest[0]
        return self._nearest(start, end).speaker

    def _nearest(self, start: float, end: float) -> Turn:
        after = bisect_left(self._starts, end)
        if after == 0:
            return self._turns[0]
        earlier = self._turns[self._latest[after - 1]]
        if after == len(self._turns):
            return earlier
        later = self._turns[after]
        return earlier if start - earlier.end <= later.start - end else later
