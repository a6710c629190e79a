"""Channels recognized each by itself."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from interchange.errors import InvalidOption
from interchange.stages import AudioLoader, Channels, Loaded, LoadEvent, LoadOptions, Source, Window
from interchange.transcript import Segment, Turn

MOST_CHANNELS = 8
_PAUSE_S = 0.5
"""A turn goes on over shorter ones."""


class SeparateChannels:
    """Loads each channel of a recording, as often as it has channels.

    A recording in which one channel at most has anything to say is loaded as any other.
    """

    def __init__(self, loader: AudioLoader) -> None:
        self._loader = loader

    async def load(self, source: Source, options: LoadOptions) -> AsyncGenerator[LoadEvent, None]:
        """First how many channels there are, then the windows of one channel after the other, in
        one count; the same each time. Raises what loading raises, and InvalidOption for too many
        channels.
        """
        alone = replace(options, pcm=False)
        channel, channels, windows = 0, 1, 0
        ends: list[Loaded] = []
        # One at a time: whoever held a place in the loader and waited for another could wait for
        # somebody who does the same.
        while channel < channels:
            load = self._loader.load(source, replace(alone, channel=channel))
            async with aclosing(load) as events:
                async for event in events:
                    if isinstance(event, Loaded):
                        ends.append(event)
                    elif isinstance(event, Window):
                        yield replace(event, index=windows, channel=channel)
                        windows += 1
                    elif isinstance(event, Channels) and channel == 0:
                        channels = event.count
                        _check(channels)
                        yield event
                        if channels == 1:
                            break
            channel += 1
        if channels == 1:
            async with aclosing(self._loader.load(source, options)) as events:
                async for event in events:
                    yield event
            return
        yield Loaded(
            duration=max(each.duration for each in ends),
            speech=sum(each.speech for each in ends),
            notes=tuple(dict.fromkeys(note for each in ends for note in each.notes)),
        )


def _check(channels: int) -> None:
    if channels > MOST_CHANNELS:
        raise InvalidOption(
            f"The recording has {channels} channels, and at most {MOST_CHANNELS} can be "
            "recognized separately; leave 'channels' out.",
            "channels",
        )


def label(channel: int) -> str:
    """Who speaks in a channel."""
    return f"SPEAKER_{channel:02d}"


def said_by(segment: Segment, speaker: str) -> Segment:
    words = tuple(replace(word, speaker=speaker) for word in segment.words)
    return replace(segment, speaker=speaker, words=words)


def turns_of(segments: list[Segment]) -> tuple[Turn, ...]:
    """Who speaks when, of segments with their speakers, by start."""
    open_turns: dict[str, Turn] = {}
    found: list[Turn] = []
    for segment in sorted(segments, key=lambda each: each.start):
        assert segment.speaker is not None
        turn = open_turns.get(segment.speaker)
        if turn is not None and segment.start - turn.end < _PAUSE_S:
            open_turns[turn.speaker] = replace(turn, end=max(turn.end, segment.end))
            continue
        if turn is not None:
            found.append(turn)
        open_turns[segment.speaker] = Turn(segment.start, segment.end, segment.speaker)
    return tuple(sorted([*found, *open_turns.values()], key=lambda turn: (turn.start, turn.end)))
