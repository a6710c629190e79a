"""Who speaks where channels are recognized each by itself: there a channel is a speaker."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from interchange.stages import SAMPLE_RATE, Apart, Int16, Window
from interchange.transcript import Segment, Turn, Word
from serve_app.transcription.speakers import assign, is_label, label

Voices = Mapping[str, tuple[float, ...]]
"""Embeddings by speaker."""

_VOICE_S = 60
_PAUSE_S = 0.5
"""A turn goes on over shorter ones."""


def said_by(segment: Segment, speaker: str | None) -> Segment:
    words = tuple(replace(word, speaker=speaker) for word in segment.words)
    return replace(segment, speaker=speaker, words=words)


def turns_of(segments: Iterable[Segment]) -> tuple[Turn, ...]:
    """Who speaks when, of segments with their speakers, by start."""
    parts: list[Segment | Word] = []
    for segment in segments:
        parts += segment.words or (segment,)
    open_turns: dict[str, Turn] = {}
    found: list[Turn] = []
    for part in sorted(parts, key=lambda each: each.start):
        assert part.speaker is not None
        turn = open_turns.get(part.speaker)
        if turn is not None and part.start - turn.end < _PAUSE_S:
            open_turns[turn.speaker] = replace(turn, end=max(turn.end, part.end))
            continue
        if turn is not None:
            found.append(turn)
        open_turns[part.speaker] = Turn(part.start, part.end, part.speaker)
    return _in_order([*found, *open_turns.values()])


def _in_order(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker)))


def speech_of(window: Window) -> Iterator[Turn]:
    """When somebody speaks in the window of a channel."""
    assert window.channel is not None
    for start, end in window.speech:
        times = (window.offset + start) / SAMPLE_RATE, (window.offset + end) / SAMPLE_RATE
        yield Turn(*times, label(window.channel))


class FirstSpeech:
    """The first minute of speech of one channel, to know a voice by."""

    def __init__(self) -> None:
        self._parts: list[Int16] = []
        self._room = _VOICE_S * SAMPLE_RATE

    def add(self, window: Window) -> None:
        for start, end in window.speech:
            part = window.samples[start : min(end, start + self._room)]
            self._parts.append(part)
            self._room -= len(part)

    @property
    def samples(self) -> Int16:
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.int16)


class WhoSpeaks:
    """What is known of it from a recording's windows, before any is recognized.

    `mixed`: one of them is of the mix; `spoken`: when somebody speaks in each channel by itself;
    `first`: what the voices of channels are known by, kept if `voices`.
    """

    def __init__(self, *, voices: bool) -> None:
        self.mixed = False
        self.spoken: list[Turn] = []
        self.first: defaultdict[int, FirstSpeech] = defaultdict(FirstSpeech)
        self._voices = voices

    def note(self, window: Window) -> None:
        if window.channel is None:
            self.mixed = True
            return
        self.spoken += speech_of(window)
        if self._voices:
            self.first[window.channel].add(window)


class People:
    """Who speaks in a recording of which channels were apart, in a part or all of it.

    `diarized` are the turns of the mix, of which what lies outside `apart` counts; `spoken` says
    when somebody speaks in each channel, by which the diarizer's speakers are those of channels
    where they are the same people. A channel has the name of a voice that is known; strangers who
    are of no channel are numbered behind them.
    """

    def __init__(
        self, diarized: Sequence[Turn], spoken: Sequence[Turn], apart: Sequence[Apart]
    ) -> None:
        people = _same_people(diarized, spoken)
        self._called = {channel: who for who, channel in people.items() if not is_label(who)}
        self._labels = {who: channel if is_label(who) else who for who, channel in people.items()}
        free = map(label, count(max(each.channels for each in apart)))
        outside = _outside(diarized, apart)
        for turn in outside:
            if turn.speaker not in self._labels:
                stranger = is_label(turn.speaker)
                self._labels[turn.speaker] = next(free) if stranger else turn.speaker
        self._outside = [replace(turn, speaker=self._labels[turn.speaker]) for turn in outside]

    def told(self, segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], tuple[Turn, ...]]:
        """The segments with their speakers, and the turns of all."""
        by_channel = [
            said_by(each, self._of(each.channel)) for each in segments if each.channel is not None
        ]
        mixed = assign([each for each in segments if each.channel is None], self._outside)
        together = sorted([*by_channel, *mixed], key=lambda each: each.start)
        return tuple(together), _in_order([*turns_of(by_channel), *self._outside])

    def voices(self, diarized: Voices, channels: Mapping[int, tuple[float, ...]]) -> Voices:
        """The voices of a diarizer's speakers and of channels, by who they are."""
        found = {self._labels[who]: voice for who, voice in diarized.items() if who in self._labels}
        return found | {self._of(channel): voice for channel, voice in channels.items()}

    def _of(self, channel: int) -> str:
        return self._called.get(label(channel), label(channel))


def _same_people(diarized: Sequence[Turn], channels: Sequence[Turn]) -> Mapping[str, str]:
    """Which of a diarizer's speakers are those of channels, one to one: by how long both are heard
    to talk at once, the longest first."""
    together: defaultdict[tuple[str, str], float] = defaultdict(float)
    for one in diarized:
        for other in channels:
            overlap = min(one.end, other.end) - max(one.start, other.start)
            if overlap > 0:
                together[one.speaker, other.speaker] += overlap
    found: dict[str, str] = {}
    for speaker, channel in sorted(together, key=lambda pair: (-together[pair], pair)):
        if speaker not in found and channel not in found.values():
            found[speaker] = channel
    return found


def _outside(turns: Iterable[Turn], apart: Sequence[Apart]) -> tuple[Turn, ...]:
    """What of turns lies where channels are mixed."""
    left = list(turns)
    for span in apart:
        cut: list[Turn] = []
        for turn in left:
            if turn.start < min(turn.end, span.start):
                cut.append(replace(turn, end=min(turn.end, span.start)))
            if turn.end > max(turn.start, span.end):
                cut.append(replace(turn, start=max(turn.start, span.end)))
        left = cut
    return _in_order(left)
