"""Stages without models: they answer at once, or when a test lets them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import numpy as np

from interchange.stages import (
    SAMPLE_RATE,
    AnalysisOptions,
    Apart,
    DiarizationOptions,
    Int16,
    Loaded,
    LoadEvent,
    LoadOptions,
    PcmBlock,
    RecognitionOptions,
    Source,
    Speakers,
    Stretch,
    VoiceSample,
    Window,
)
from interchange.transcript import Segment, Turn, WindowTranscript, Word
from serve_app.transcription.transcriber import Transcriber


def window(
    index: int, seconds: float = 10.0, start: float | None = None, channel: int | None = None
) -> Window:
    offset = round((index * seconds if start is None else start) * SAMPLE_RATE)
    samples = np.full(round(seconds * SAMPLE_RATE), index, dtype=np.int16)
    return Window(index, offset, samples, ((0, len(samples)),), channel=channel)


class FakeLoader:
    """Yields what it was given; `closed` tells that its consumer let go of it."""

    def __init__(
        self,
        windows: Sequence[Window],
        error: Exception | None = None,
        notes: tuple[str, ...] = (),
        apart: tuple[Apart, ...] = (),
    ) -> None:
        self.windows = windows
        self.error = error
        self.notes = notes
        self.apart = apart
        self.loads: list[tuple[Source, LoadOptions]] = []
        self.yielded = 0
        self.closed = False

    async def load(self, source: Source, options: LoadOptions) -> AsyncGenerator[LoadEvent, None]:
        self.loads.append((source, options))
        self.yielded = 0
        try:
            for each in self.windows:
                if options.pcm:
                    yield PcmBlock(each.samples)
                self.yielded += 1
                yield each
                await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            duration = max((each.end for each in self.windows), default=3.0)
            yield Loaded(duration=duration, speech=duration, notes=self.notes, apart=self.apart)
        finally:
            self.closed = True


def words_of(window: Window, options: RecognitionOptions) -> WindowTranscript:
    """Says the window's number, with one word over its whole length."""
    text = f" window {window.index}"
    words = (Word(text, window.start, window.end, 0.9),) if options.word_timestamps else ()
    language = options.language or "en"
    segment = Segment(window.start, window.end, text, language, words=words)
    detected = () if options.language else ((language, 0.95),)
    return WindowTranscript(window.index, window.start, window.end, (segment,), language, detected)


class FakeRecognizer:
    """Answers by `answer`, after `gate` is set where one is given. Counts what runs at once."""

    def __init__(
        self,
        answer: Callable[[Window, RecognitionOptions], WindowTranscript] = words_of,
        gate: asyncio.Event | None = None,
    ) -> None:
        self.answer = answer
        self.gate = gate
        self.calls: list[tuple[Window, RecognitionOptions]] = []
        self.running = 0
        self.most_running = 0
        self.cancelled = 0

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        self.calls.append((window, options))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return self.answer(window, options)


HEARD = VoiceSample((1.0, 0.0), 5.0, several=False, model="model")


class FakeDiarizer:
    """Answers the turns it was given, and `heard` for a voice; a stretch after `gate` is set where
    one is given. What it makes of a stretch is its number, as text."""

    def __init__(
        self,
        turns: tuple[Turn, ...] = (),
        error: Exception | None = None,
        heard: VoiceSample = HEARD,
        gate: asyncio.Event | None = None,
    ) -> None:
        self.heard = heard
        self.answer = turns
        who = dict.fromkeys(turn.speaker for turn in turns)
        self.voices = {speaker: (float(number),) for number, speaker in enumerate(who)}
        self.error = error
        self.gate = gate
        self.options: DiarizationOptions | None = None
        self.stretches: list[Stretch] = []
        self.in_flight: list[int] = []
        self.running = 0
        self.cancelled = 0
        self.heard_seconds: list[float] = []
        self.seconds: float | None = None
        self.told_apart: list[bytes] = []

    async def analyse(self, stretch: Stretch, options: AnalysisOptions) -> bytes:
        self.stretches.append(stretch)
        self.in_flight.append(options.in_flight)
        self.running += 1
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return str(stretch.number).encode()

    async def speakers(
        self, analyses: Sequence[bytes], seconds: float, options: DiarizationOptions
    ) -> Speakers:
        self.told_apart, self.seconds, self.options = list(analyses), seconds, options
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return Speakers(self.answer, self.voices)

    async def voice(self, samples: Int16) -> VoiceSample:
        self.heard_seconds.append(len(samples) / SAMPLE_RATE)
        return self.heard


def graph(
    recognizer: FakeRecognizer | None = None, windows: int = 3, error: Exception | None = None
) -> Transcriber:
    """A transcriber over these stages, for a recording of `windows` with one speaker."""
    turns = (Turn(0, 10.0 * windows, "SPEAKER_00"),)
    return Transcriber(
        FakeLoader([window(index) for index in range(windows)], error),
        recognizer or FakeRecognizer(),
        FakeDiarizer(turns),
    )
