"""The one queue in front of the engine: windows of all requests, in fair order.

Callers await `recognize` on the event loop; the engine's thread pulls with `take` whenever it
has room, so that a batch is never cut before the device is free.

The next window is one of the request that had least audio served so far, interactive requests
before bulk ones. A new request starts where the least served one stands, less a head start: a
short clip goes ahead of a long recording, while a second long recording does not stop the
first until it has caught up. A bulk request that has waited for long counts as interactive.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from deployments.autoscaling import Load, Part
from interchange import measures
from interchange.errors import QueueFull
from interchange.pace import Flow, Pace
from interchange.stages import SAMPLE_RATE, Priority, RecognitionOptions, Window
from interchange.transcript import WindowTranscript

HEAD_START_S = 60.0
"""Seconds of audio that a new request may have served before it shares equally."""
BULK_PATIENCE_S = 30.0
"""Seconds without a window taken after which a bulk request counts as interactive."""


@dataclass(eq=False, slots=True)
class Ticket:
    """A window on its way through the engine. `first` if its request had none under way when it
    was taken from the queue: somebody waits for it, and not only for its place in a transcript."""

    window: Window
    options: RecognitionOptions
    enqueued_at: float
    first: bool = False
    future: Future[WindowTranscript] = field(default_factory=Future)

    @property
    def audio_s(self) -> float:
        return len(self.window.samples) / SAMPLE_RATE

    @property
    def departed(self) -> bool:
        """Whether the caller no longer waits."""
        return self.future.cancelled()


@dataclass(eq=False, slots=True)
class _Request:
    waiting: deque[Ticket] = field(default_factory=deque)
    priority: Priority = "interactive"
    served_s: float = 0.0
    left_s: float = 0.0
    in_flight: int = 1
    running: int = 0
    last_taken: float = 0.0


class FairQueue:
    """Bounded by `max_audio_s` seconds of waiting audio. Any thread may call any method."""

    def __init__(
        self,
        max_audio_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_audio_s = max_audio_s
        self._clock = clock
        self._requests: dict[str, _Request] = {}
        self._audio_s = 0.0
        self._windows = 0
        self._closed: Exception | None = None
        self._changed = threading.Condition()
        self._throughput = _Throughput(clock)
        self._pace, self._leaving = Pace(clock), Flow(clock)

    # ---------------------------------------------------------------- the callers' side

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        """Wait for a window's transcript. Cancelling takes it out of the queue or the batch.

        Raises QueueFull where too much audio waits, and what `close` was given.
        """
        return await asyncio.wrap_future(self.put(window, options).future)

    def put(self, window: Window, options: RecognitionOptions) -> Ticket:
        """Queue a window; its future has the transcript."""
        ticket = Ticket(window, options, self._clock())
        with self._changed:
            if self._closed is not None:
                raise self._closed
            # A window that waits alone is never too much: it could otherwise never be served.
            if self._windows and self._audio_s + ticket.audio_s > self._max_audio_s:
                raise self._full()
            request = self._request(options.request_id)
            request.waiting.append(ticket)
            request.left_s += ticket.audio_s
            request.in_flight, request.priority = options.in_flight, options.priority
            self._count(ticket, 1)
            self._changed.notify_all()
        ticket.future.add_done_callback(lambda _: self._forget(ticket))
        return ticket

    # ---------------------------------------------------------------- the engine's side

    def take(self, room: int, *, first: bool = False, longest_s: float = math.inf) -> list[Ticket]:
        """Up to `room` windows, fairest first; none where none waits or the queue is closed.

        With `first` only of requests that have none under way, and none above `longest_s`.
        """
        taken: list[Ticket] = []
        with self._changed:
            room = 0 if self._closed is not None else room
            while len(taken) < room and (request := self._next(first, longest_s)) is not None:
                ticket = request.waiting.popleft()
                ticket.first = not request.running
                self._count(ticket, -1)
                request.served_s += ticket.audio_s
                request.running += 1
                request.last_taken = self._clock()
                measures.WINDOW_WAIT.record(request.last_taken - ticket.enqueued_at)
                taken.append(ticket)
            if not self._windows:
                self._pace.enough(False)
        return taken

    def give_back(self, ticket: Ticket) -> None:
        """Queue a window that was taken again, ahead of its request's others."""
        with self._changed:
            request = self._request(ticket.options.request_id)
            request.running -= 1
            request.served_s -= ticket.audio_s
            if ticket.departed:
                request.left_s -= ticket.audio_s
            else:
                request.waiting.appendleft(ticket)
                self._count(ticket, 1)
            self._drop_if_idle(ticket.options.request_id)

    def finish(self, ticket: Ticket, outcome: WindowTranscript | Exception) -> None:
        """Answer a window that was taken, or let go of one whose caller departed."""
        with self._changed:
            request = self._requests[ticket.options.request_id]
            request.running -= 1
            request.left_s -= ticket.audio_s
            self._drop_if_idle(ticket.options.request_id)
            self._throughput.add(ticket.audio_s)
            self._leaving.add(ticket.audio_s)
            self._pace.done(ticket.audio_s)
            # Only from here on: the first of a batch is done when all of it has waited long.
            self._pace.enough(self._windows > 0)
        if not ticket.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            ticket.future.set_exception(outcome)
        else:
            measures.WINDOWS.record()
            measures.RECOGNIZED_AUDIO.record(ticket.audio_s)
            if outcome.decoded_again:
                measures.DECODED_AGAIN.record(outcome.decoded_again)
            ticket.future.set_result(outcome)

    def wait(self, timeout: float) -> None:
        """Sleep until a window waits, the queue closes, or `timeout` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._windows or self._closed is not None, timeout)

    def close(self, error: Exception) -> None:
        """Refuse further windows, and those that wait, with `error`."""
        with self._changed:
            self._closed = error
            waiting = [t for r in self._requests.values() for t in r.waiting]
            self._changed.notify_all()
        for ticket in waiting:
            if ticket.future.set_running_or_notify_cancel():
                ticket.future.set_exception(error)

    @property
    def audio_s(self) -> float:
        """Seconds of audio that wait."""
        return self._audio_s

    def load(self) -> Load:
        """What waits and what is under way, and how fast it goes."""
        parts: dict[Priority, list[Part]] = {"interactive": [], "bulk": []}
        pieces = 0
        with self._changed:
            for request in self._requests.values():
                here = len(request.waiting) + request.running
                # Windows of this request may be at other replicas as well.
                part = Part(request.left_s, min(here / request.in_flight, 1.0))
                parts[request.priority].append(part)
                pieces += here
            return Load(
                hurried=parts["interactive"],
                patient=parts["bulk"],
                pieces=pieces,
                leaving=self._leaving.per_s,
                rate=self._pace.rate,
            )

    # ------------------------------------------------------------------------- inside

    def _request(self, request_id: str) -> _Request:
        request = self._requests.get(request_id)
        if request is None:
            least = min((r.served_s for r in self._requests.values()), default=0.0)
            request = _Request(served_s=max(0.0, least - HEAD_START_S), last_taken=self._clock())
            self._requests[request_id] = request
        return request

    def _next(self, first: bool, longest_s: float) -> _Request | None:
        now = self._clock()
        best: tuple[bool, float] | None = None
        chosen: _Request | None = None
        for request in self._requests.values():
            if not request.waiting or (first and request.running):
                continue
            if request.waiting[0].audio_s > longest_s:
                continue
            options = request.waiting[0].options
            if options.batch_size is not None and request.running >= options.batch_size:
                continue
            patient = options.priority == "bulk" and now - request.last_taken < BULK_PATIENCE_S
            rank = (patient, request.served_s)
            if best is None or rank < best:
                best, chosen = rank, request
        return chosen

    def _forget(self, ticket: Ticket) -> None:
        """Take a window out of the queue whose future is done: its caller departed."""
        with self._changed:
            request = self._requests.get(ticket.options.request_id)
            if request is not None and ticket in request.waiting:
                request.waiting.remove(ticket)
                request.left_s -= ticket.audio_s
                self._count(ticket, -1)
                self._drop_if_idle(ticket.options.request_id)

    def _drop_if_idle(self, request_id: str) -> None:
        request = self._requests[request_id]
        if not request.waiting and not request.running:
            del self._requests[request_id]

    def _count(self, ticket: Ticket, sign: int) -> None:
        self._windows += sign
        # Emptied, it is exactly empty: sums of floats drift.
        self._audio_s = self._audio_s + sign * ticket.audio_s if self._windows else 0.0
        measures.QUEUED_WINDOWS.record(self._windows)
        measures.QUEUED_AUDIO.record(self._audio_s)

    def _full(self) -> QueueFull:
        wait = self._throughput.seconds_for(self._audio_s)
        return QueueFull(
            f"{self._audio_s:.0f} s of audio already wait to be recognized, and "
            f"{self._max_audio_s:.0f} s may. Try again in about {wait} s.",
            wait,
        )


class _Throughput:
    """Seconds of audio done in a second, over the last minute of work."""

    SPAN_S = 60.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._done: deque[tuple[float, float]] = deque()

    def add(self, audio_s: float) -> None:
        self._done.append((self._clock(), audio_s))
        self._forget()

    def seconds_for(self, audio_s: float) -> int:
        """How long so much audio may take, at least 1; unknown throughput counts as real time."""
        self._forget()
        if len(self._done) < 2:
            return max(1, math.ceil(audio_s))
        elapsed = self._clock() - self._done[0][0]
        done = sum(seconds for _, seconds in self._done)
        return max(1, math.ceil(audio_s * elapsed / done))

    def _forget(self) -> None:
        while self._done and self._done[0][0] < self._clock() - self.SPAN_S:
            self._done.popleft()
