"""Channels recognized each by itself: their windows, in order of time."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
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
        """First how many channels there are, then windows by their start, each with its channel
        and no other of the same number; the same each time. Raises what loading raises, and
        InvalidOption for too many channels.
        """
        async with AsyncExitStack() as stack:
            alone = replace(options, pcm=False, channel=0)
            first = await stack.enter_async_context(aclosing(self._loader.load(source, alone)))
            counted = await anext(first)
            assert isinstance(counted, Channels)
            if counted.count > MOST_CHANNELS:
                raise InvalidOption(
                    f"The recording has {counted.count} channels, and at most {MOST_CHANNELS} can "
                    "be recognized separately; leave 'channels' out.",
                    "channels",
                )
            yield counted
            if counted.count > 1:
                others = [
                    await stack.enter_async_context(
                        aclosing(self._loader.load(source, replace(alone, channel=channel)))
                    )
                    for channel in range(1, counted.count)
                ]
                async for event in _by_start([first, *others]):
                    yield event
                return
        async with aclosing(self._loader.load(source, options)) as events:
            async for event in events:
                yield event


async def _by_start(
    loads: list[AsyncGenerator[LoadEvent, None]],
) -> AsyncGenerator[LoadEvent, None]:
    """The windows of all channels by their start, and one Loaded at the end."""
    ended: list[Loaded] = []

    async def following(load: AsyncGenerator[LoadEvent, None]) -> Window | None:
        async for event in load:
            if isinstance(event, Window):
                return event
            if isinstance(event, Loaded):
                ended.append(event)
        return None

    ahead = [await following(load) for load in loads]
    count = 0
    while any(ahead):
        _, channel = min(
            (window.offset, channel) for channel, window in enumerate(ahead) if window is not None
        )
        window = ahead[channel]
        assert window is not None
        yield replace(window, index=count, channel=channel)
        count += 1
        ahead[channel] = await following(loads[channel])
    yield Loaded(
        duration=max(each.duration for each in ended),
        speech=sum(each.speech for each in ended),
        notes=tuple(dict.fromkeys(note for each in ended for note in each.notes)),
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
