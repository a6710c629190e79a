"""A session beside a recognizer that is full, that fails, and that is left."""

import asyncio
from collections.abc import Sequence

import pytest

from interchange.errors import QueueFull, RecognitionFailed
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import WindowTranscript
from serve_app.live.events import Completed, Event, Failed
from serve_app.live.options import LiveOptions
from serve_app.live.runner import LiveRunner
from serve_app.live.session import LiveSession
from tests.fakes.live import DETECTION, LoudIsSpeech, clock_words, silence, spoken


class Recognizer:
    """Raises `errors` first, one a call, then hears `clock_words`, or nothing for ever."""

    def __init__(self, *errors: Exception, forever: bool = False) -> None:
        self.errors = list(errors)
        self.forever = forever
        self.running = self.most_running = 0
        self.asked = asyncio.Event()
        self.cancelled = False

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        self.asked.set()
        try:
            await (asyncio.Event().wait() if self.forever else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.running -= 1
        if self.errors:
            raise self.errors.pop(0)
        return clock_words(window)


class Events:
    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.ended = asyncio.Event()

    async def __call__(self, events: Sequence[Event]) -> None:
        await asyncio.sleep(0)
        self.seen += events
        if any(isinstance(event, Completed | Failed) for event in events):
            self.ended.set()


def runner(recognizer: Recognizer, events: Events) -> LiveRunner:
    options = LiveOptions(DETECTION, DETECTION)
    return LiveRunner(LiveSession("s", LoudIsSpeech(), options), recognizer, events)


async def test_a_full_queue_is_waited_for() -> None:
    recognizer, events = Recognizer(QueueFull("Full.", 0), QueueFull("Full.", 0)), Events()
    async with runner(recognizer, events) as running:
        await running.append(spoken(2))
        await running.append(silence(1))
        await events.ended.wait()
    (end,) = [event for event in events.seen if isinstance(event, Completed)]
    assert end.text == "w0 w1 w2 w3"
    assert recognizer.most_running == 1


async def test_a_window_that_fails_is_its_items_failure() -> None:
    recognizer, events = Recognizer(RecognitionFailed("No luck.")), Events()
    async with runner(recognizer, events) as running:
        for _ in range(2):
            events.ended.clear()
            await running.append(spoken(1))
            await running.append(silence(1))
            await events.ended.wait()
    ends = [event for event in events.seen if isinstance(event, Completed | Failed)]
    assert [type(end).__name__ for end in ends] == ["Failed", "Completed"]


async def test_a_fault_of_ours_is_raised() -> None:
    recognizer, events = Recognizer(ZeroDivisionError("a fault")), Events()
    async with runner(recognizer, events) as running:
        with pytest.raises(ZeroDivisionError):
            await running.append(spoken(10))


async def test_leaving_stops_the_work() -> None:
    recognizer, events = Recognizer(forever=True), Events()
    async with runner(recognizer, events) as running:
        await running.append(spoken(2))
        await recognizer.asked.wait()
    assert recognizer.cancelled


async def test_audio_waits_where_nobody_recognizes() -> None:
    recognizer, events = Recognizer(forever=True), Events()
    async with runner(recognizer, events) as running:
        await running.append(spoken(30))
        assert running.held_s == pytest.approx(30, abs=0.6)
