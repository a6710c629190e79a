"""From blocks of one line, or of several that are heard each by itself, to windows."""

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from configs.settings import AudioSettings
from deployments.audio.segmentation import DEFAULT_OPTIONS, Segmenter
from deployments.audio.speech.voice_activity import SileroNetwork
from interchange.stages import SAMPLE_RATE, Apart, Float32, LoadOptions, Window


@dataclass(frozen=True, slots=True)
class _Line:
    """A channel by itself, or all of them mixed, from sample `start` of the recording on."""

    segmenter: Segmenter
    start: int
    channel: int | None

    def placed(self, windows: Iterable[Window]) -> Iterator[Window]:
        for each in windows:
            yield replace(each, offset=self.start + each.offset, channel=self.channel)

    @property
    def frontier(self) -> int:
        return self.start + self.segmenter.frontier


class Lines:
    """The windows of one recording, in order of their start, as its blocks come: (samples,) where
    channels are mixed, (1 + channels, samples) where each is heard by itself beside the mix.

    `samples` and `speech` count what was fed, and the speech in the windows so far.
    """

    def __init__(
        self,
        network: SileroNetwork,
        settings: AudioSettings,
        options: LoadOptions = DEFAULT_OPTIONS,
        pool: Executor | None = None,
    ) -> None:
        self._network = network
        self._settings = settings
        self._options = options
        self._pool = pool
        self._lines: list[_Line] = []
        self._held: list[Window] = []
        self._index = 0
        self._apart: list[Apart] = []
        self.samples = 0
        self.speech = 0

    def use(self, pool: Executor) -> None:
        """Find speech in the threads of another pool from here on."""
        self._pool = pool
        for line in self._lines:
            line.segmenter.use(pool)

    def feed(self, block: Float32, *, at_once: bool = True) -> Iterator[Window]:
        """The windows that `block` settles; see `VoiceActivity.feed` for `at_once`."""
        channels: list[int | None] = [None] if block.ndim == 1 else [*range(len(block) - 1)]
        if channels != [line.channel for line in self._lines]:
            yield from self.flush()
            self._lines = [self._line(channel) for channel in channels]
        self.samples += block.shape[-1]
        for line in self._lines:
            samples = block if line.channel is None else block[1 + line.channel]
            self._held += line.placed(line.segmenter.feed(samples, at_once=at_once))
        # One line's windows are in order anyway.
        several = len(self._lines) > 1
        yield from self._until(min(each.frontier for each in self._lines) if several else math.inf)

    def flush(self) -> Iterator[Window]:
        """The windows that the end, of the recording or of its lines, settles."""
        for line in self._lines:
            self._held += line.placed(line.segmenter.flush())
            self.speech += line.segmenter.speech
        if len(self._lines) > 1:
            start, end = self._lines[0].start / SAMPLE_RATE, self.samples / SAMPLE_RATE
            self._apart.append(Apart(start, end, len(self._lines)))
        self._lines = []
        yield from self._until(math.inf)

    @property
    def apart(self) -> tuple[Apart, ...]:
        """Where channels were heard each by itself, once all is flushed."""
        return tuple(self._apart)

    def _line(self, channel: int | None) -> _Line:
        options = self._options
        if self._index:  # nobody waits for a first window any more
            options = replace(options, first_window_s=None)
        segmenter = Segmenter(self._network, self._settings, options, self._pool)
        return _Line(segmenter, self.samples, channel)

    def _until(self, sample: float) -> Iterator[Window]:
        """What is held of before `sample`, in one order whatever was known first."""
        self._held.sort(key=lambda each: (each.offset, each.channel or 0))
        while self._held and self._held[0].offset < sample:
            yield replace(self._held.pop(0), index=self._index)
            self._index += 1
