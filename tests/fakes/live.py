"""A live session without models: who speaks is written down, and so is what is heard."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from interchange.stages import (
    SAMPLE_RATE,
    Float32,
    Int16,
    RecognitionOptions,
    SpeechDetection,
    VoiceSample,
    Window,
)
from interchange.transcript import Segment, Token, WindowTranscript, Word
from serve_app.live.events import Event
from serve_app.live.options import LiveOptions
from serve_app.live.session import LiveSession, VoiceWork, Work
from serve_app.live.speech import FRAME
from tests.fakes.stages import FakeDiarizer

DETECTION = SpeechDetection(threshold=0.5, silence_s=0.5, padding_s=0.3)
LOUD = 8000


class LoudIsSpeech:
    """Takes every frame that is not silent for speech."""

    step = 2 * FRAME

    def __call__(self, samples: Float32) -> Sequence[float]:
        return [float(np.abs(frame).max() > 0.01) for frame in samples.reshape(-1, FRAME)]


def spoken(seconds: float, level: int = LOUD) -> Int16:
    return np.full(round(seconds * SAMPLE_RATE), level, np.int16)


def silence(seconds: float) -> Int16:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def clock_words(window: Window) -> WindowTranscript:
    """A word each half second of the session, named by its number: what is cut off is not heard,
    and what is silent neither."""
    first, last = window.offset / SAMPLE_RATE, window.end
    words = []
    for number in range(int(first * 2), int(last * 2) + 1):
        start, end = number / 2 + 0.02, number / 2 + 0.45
        a, b = (round(t * SAMPLE_RATE) - window.offset for t in (start, end))
        if a >= 0 and b <= len(window.samples) and np.abs(window.samples[a:b]).min() > 0:
            words.append(Word(f" w{number}", start, end, 0.9, token_count=1))
    if not words:
        return WindowTranscript(window.index, first, last, (), "en")
    text = "".join(word.text for word in words)
    spelled = tuple(Token(tuple(word.text.encode()), -0.1) for word in words)
    segment = Segment(
        first, last, text, "en", tuple(range(len(words))), words=tuple(words), spelled=spelled
    )
    return WindowTranscript(window.index, first, last, (segment,), "en", (("en", 0.9),))


class ClockRecognizer:
    """Hears `clock_words` in every window."""

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        await asyncio.sleep(0)
        return clock_words(window)


def voice_of(samples: Int16) -> VoiceSample:
    """A voice is as loud as the person: one for loud, one for quiet people."""
    loud = np.abs(samples).max() >= LOUD
    seconds = np.count_nonzero(samples) / SAMPLE_RATE
    return VoiceSample((1.0, 0.0) if loud else (0.0, 1.0), seconds, several=False, model="loudness")


class LoudDiarizer(FakeDiarizer):
    """Knows people by how loud they are."""

    async def voice(self, samples: Int16) -> VoiceSample:
        return voice_of(samples)


class Conversation:
    """Drives a session as a client and a recognizer that answers `delay` seconds of audio later."""

    def __init__(
        self,
        *,
        manual: bool = False,
        delay: float = 0.2,
        hear: Callable[[Window], WindowTranscript] = clock_words,
        logprobs: bool = False,
        partials: bool = False,
        silence_s: float = 0.5,
        speakers: bool = False,
        language: str | None = None,
    ) -> None:
        turns = replace(DETECTION, silence_s=silence_s)
        options = LiveOptions(
            None if manual else turns,
            DETECTION,
            logprobs=logprobs,
            partials=partials,
            speakers=speakers,
            language=language,
        )
        self.session = LiveSession("s", LoudIsSpeech(), options)
        self.events: list[Event] = []
        self.windows: list[Window] = []
        self.asked: list[Work] = []
        self.most_held_s = 0.0
        self._delay, self._hear = delay, hear
        self._due = 0.0
        self._now = 0.0
        self._work = self.session.work()

    def say(self, samples: Int16, frame_s: float = 0.05) -> None:
        size = round(frame_s * SAMPLE_RATE)
        for start in range(0, len(samples), size):
            part = samples[start : start + size]
            self._now += len(part) / SAMPLE_RATE
            self.take(self.session.append(part))

    def take(self, events: list[Event]) -> None:
        """What a step of the session gave; then what is due of the recognizer's work."""
        self.events += events
        self.most_held_s = max(self.most_held_s, self.session.held_s)
        if self._work is not None and self._due <= self._now:
            self.answer()
        self._ask()

    def answer(self) -> None:
        assert self._work is not None
        work, self._work = self._work, None
        if isinstance(work, VoiceWork):
            self.events += self.session.known(work, voice_of(work.samples))
            return
        self.events += self.session.heard(work, self._hear(work.window), self._delay)

    def wait(self) -> None:
        """Until the recognizer has nothing to do."""
        self._ask()
        while self._work is not None:
            self.answer()
            self._ask()

    def _ask(self) -> None:
        if self._work is None and (work := self.session.work()) is not None:
            self._work, self._due = work, self._now + self._delay
            if isinstance(work, Work):
                self.windows.append(work.window)
                self.asked.append(work)
