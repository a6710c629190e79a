"""A live session at work: what it asks for goes to a recognizer, what happens to a listener."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from interchange.errors import QueueFull, RayscribeError
from interchange.stages import SAMPLE_RATE, Int16, SpeechRecognizer
from interchange.transcript import WindowTranscript
from serve_app.live.events import Event
from serve_app.live.options import LiveOptions
from serve_app.live.session import LiveSession, Work

_AT_ONCE = SAMPLE_RATE // 2
"""Samples that are judged before others get their turn."""

Listener = Callable[[Sequence[Event]], Awaitable[None]]


class LiveRunner:
    """One session and its recognizer. Events reach the listener in order, one step at a time.

    A context: leaving it stops the work. A failed window is the item's failure; any other fault
    of the work is raised by the next call.
    """

    def __init__(self, session: LiveSession, recognizer: SpeechRecognizer, tell: Listener) -> None:
        self._session = session
        self._recognizer = recognizer
        self._tell = tell
        self._step = asyncio.Lock()
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    @property
    def held_s(self) -> float:
        """Seconds of audio in memory."""
        return self._session.held_s

    async def append(self, samples: Int16) -> None:
        for start in range(0, len(samples), _AT_ONCE):
            async with self._step:
                await self._then(self._session.append(samples[start : start + _AT_ONCE]))
            await asyncio.sleep(0)

    async def commit(self) -> None:
        """Raises NothingToCommit."""
        async with self._step:
            await self._then(self._session.commit())

    async def clear(self) -> None:
        async with self._step:
            await self._then(self._session.clear())

    async def configure(self, options: LiveOptions) -> None:
        async with self._step:
            self._session.configure(options)

    async def _then(self, events: Sequence[Event]) -> None:
        """Tell what happened, and see to what is to be recognized."""
        if events:
            await self._tell(events)
        if self._work is not None and self._work.done():
            self._work.result()
            self._work = None
        if self._work is None and (work := self._session.work()) is not None:
            self._work = asyncio.create_task(self._recognize_all(work))

    async def _recognize_all(self, work: Work | None) -> None:
        while work is not None:
            began = time.monotonic()
            outcome = await self._recognize(work)
            async with self._step:
                if isinstance(outcome, WindowTranscript):
                    events = self._session.heard(work, outcome, time.monotonic() - began)
                else:
                    events = self._session.lost(work, outcome)
                if events:
                    await self._tell(events)
                work = self._session.work()
                if work is None:
                    self._work = None

    async def _recognize(self, work: Work) -> WindowTranscript | RayscribeError:
        while True:
            try:
                return await self._recognizer.recognize(work.window, work.options)
            except QueueFull as full:
                # A session that was let in goes on; it waits as a recording does that has begun.
                await asyncio.sleep(full.retry_after)
            except RayscribeError as error:
                return error
