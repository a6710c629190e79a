"""From decoded blocks to load events: voice activity, windows, the waveform on request."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor

import numpy as np

from configs.settings import AudioSettings
from deployments.audio.speech.faint import FaintFinder
from deployments.audio.speech.pieces import MIN_PAUSE_S, PieceFinder
from deployments.audio.speech.voice_activity import Frames, SileroNetwork, VoiceActivity
from deployments.audio.windows import PAD, Stretch, WindowPlanner
from interchange.samples import as_int16
from interchange.stages import (
    SAMPLE_RATE,
    Float32,
    LoadOptions,
    PcmBlock,
    SpeechDetection,
    Window,
)

DEFAULT_OPTIONS = LoadOptions()

_PCM_SAMPLES = 30 * SAMPLE_RATE


class SampleBuffer:
    """The part of a recording that windows may still need."""

    def __init__(self) -> None:
        self._blocks: deque[Float32] = deque()
        self._start = 0
        self.end = 0

    def append(self, block: Float32) -> None:
        self._blocks.append(block)
        self.end += len(block)

    def drop_before(self, sample: int) -> None:
        while self._blocks and self._start + len(self._blocks[0]) <= sample:
            self._start += len(self._blocks.popleft())

    def cut(self, start: int, end: int) -> Float32:
        """A copy of samples `start` to `end`, which must still be held."""
        parts = []
        position = self._start
        for block in self._blocks:
            parts.append(block[max(start - position, 0) : max(end - position, 0)])
            position += len(block)
        return np.concatenate(parts)


class Segmenter:
    """The events of one recording, as its blocks come.

    It holds the speech of three windows and the block at hand, whatever the length, and with a
    `pool` some minutes more. `speech` counts the samples of speech in the windows so far.
    """

    def __init__(
        self,
        network: SileroNetwork,
        settings: AudioSettings,
        options: LoadOptions = DEFAULT_OPTIONS,
        pool: Executor | None = None,
    ) -> None:
        detection = options.detection or SpeechDetection(
            settings.vad_threshold, MIN_PAUSE_S, PAD / SAMPLE_RATE
        )
        self._activity = VoiceActivity(network, pool)
        # Who sets the detector's values wants them to decide.
        faint = FaintFinder() if settings.vad_faint and options.detection is None else None
        self._finder = PieceFinder(detection.threshold, detection.silence_s, faint)
        self._lead = round(detection.padding_s * SAMPLE_RATE)
        self._planner = WindowPlanner(settings.window_s, options.first_window_s, self._lead)
        self._buffer = SampleBuffer()
        self._index = 0
        self.speech = 0

    @property
    def samples(self) -> int:
        """Samples fed so far."""
        return self._buffer.end

    @property
    def frontier(self) -> int:
        """The sample before which no window begins that is still to come."""
        pending = self._planner.needed_from
        settled = self._finder.settled - self._lead
        return settled if pending is None else min(settled, pending)

    def use(self, pool: Executor) -> None:
        """Find speech in the threads of another pool from here on."""
        self._activity.pool = pool

    def feed(self, block: Float32, *, at_once: bool = True) -> Iterator[Window]:
        """The windows that `block` settles; see `VoiceActivity.feed` for `at_once`."""
        self._buffer.append(block)
        for frames in self._activity.feed(block, at_once=at_once):
            yield from self._windows(self._plan(frames))
        yield from self._windows(self._planner.advance(self._finder.settled))
        self._buffer.drop_before(self.frontier)

    def flush(self) -> Iterator[Window]:
        """The windows that the end of the recording settles."""
        for frames in self._activity.flush():
            yield from self._windows(self._plan(frames))
        for piece in self._finder.flush():
            yield from self._windows(self._planner.add(piece))
        yield from self._windows(self._planner.finish(self.samples))

    def _plan(self, frames: Frames) -> Iterator[Stretch]:
        for piece in self._finder.feed(frames):
            yield from self._planner.add(piece)

    def _windows(self, stretches: Iterable[Stretch]) -> Iterator[Window]:
        for stretch in stretches:
            samples = self._buffer.cut(stretch.start, stretch.end)
            if not stretch.faint:
                self.speech += sum(end - start for start, end in stretch.speech)
            yield Window(
                self._index, stretch.start, as_int16(samples), stretch.speech, stretch.faint
            )
            self._index += 1


class PcmBlocks:
    """Gathers decoded blocks to ones of half a minute."""

    def __init__(self) -> None:
        self._held: list[Float32] = []
        self._size = 0

    def feed(self, block: Float32) -> Iterator[PcmBlock]:
        self._held.append(block)
        self._size += len(block)
        if self._size >= _PCM_SAMPLES:
            yield from self.flush()

    def flush(self) -> Iterator[PcmBlock]:
        if self._size:
            yield PcmBlock(as_int16(np.concatenate(self._held)))
            self._held, self._size = [], 0
