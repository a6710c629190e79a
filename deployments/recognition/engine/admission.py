"""Who is encoded next, and who takes the next slot.

It knows windows by their tickets and by what they ask for, and no model: lanes encode, and a slot
is given to whom `next` names.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from deployments.recognition.fair_queue import FairQueue, Ticket
from deployments.recognition.window.questions import Piece, Request, WindowDecoding
from interchange import measures
from interchange.stages import Window

CLIP_S = 10.0
"""A request's first window is urgent if it is no longer: whoever sent a clip waits for it, and
beside the windows of long recordings it costs little."""


class Stage(Enum):
    """Where a window that was admitted is."""

    ENCODING = auto()
    READY = auto()
    DECODING = auto()


@dataclass(eq=False, slots=True)
class Admitted:
    """A window under way, with the `dialogue` that asks for what it needs, and what it asks for.

    `encoded` waits for a slot while the window is READY; `piece` is what it, or the slot, holds.
    """

    ticket: Ticket
    dialogue: WindowDecoding
    request: Request
    stage: Stage = Stage.ENCODING
    encoded: Any = None
    piece: Piece | None = None

    @property
    def urgent(self) -> bool:
        return self.ticket.first and self.ticket.audio_s <= CLIP_S

    @property
    def steps_ahead(self) -> bool:
        """Whether steps are made for it alone, which take nearly the time of those for all."""
        return self.urgent and self.ticket.options.hurried


Pieces = Sequence[tuple[Window, Piece]]


class Lanes(Protocol):
    """Where windows are encoded. What comes of a batch of pieces is a future."""

    together: int
    """How many windows are encoded at once."""

    @property
    def ahead(self) -> int | None:
        """How many windows may be encoded, or wait for it, before there is a slot for them. None:
        as many as there are slots free."""
        ...

    @property
    def open(self) -> bool:
        """Whether another batch can be taken that nobody is in a hurry for."""
        ...

    @property
    def free_between(self) -> bool:
        """Whether a batch can be encoded between the steps."""
        ...

    def beside(self, pieces: Pieces) -> Future[list[Any]]: ...
    def between_steps(self, pieces: Pieces) -> Future[list[Any]]: ...
    def at_once(self, pieces: Pieces) -> Future[list[Any]]:
        """Before anything else."""
        ...


class Admission:
    """Windows that are encoded or wait for a slot. `begin` starts a ticket's dialogue, or answers
    it and gives None."""

    def __init__(
        self, queue: FairQueue, lanes: Lanes, begin: Callable[[Ticket], Admitted | None]
    ) -> None:
        self._queue, self._lanes, self._begin = queue, lanes, begin
        # With the time at which they were given to a lane.
        self._encoding: deque[tuple[list[Admitted], Future[list[Any]], float]] = deque()
        self._ready: deque[Admitted] = deque()

    @property
    def encoding(self) -> list[Admitted]:
        return [window for windows, _, _ in self._encoding for window in windows]

    @property
    def ready(self) -> Sequence[Admitted]:
        return self._ready

    @property
    def waiting(self) -> list[Admitted]:
        """All that have no slot yet: those that are ready, then those being encoded."""
        return [*self._ready, *self.encoding]

    def admit(self, decoding: Collection[Admitted], capacity: int) -> None:
        """Take windows from the queue to be encoded, beside those that are being decoded in
        `capacity` slots: as many as there are slots for, or a few ahead where the lanes say so.
        One more if its request has no other, and another one if it is a clip."""
        while self._lanes.open:
            ahead = self.waiting
            room = self._room(len(decoding), capacity) - len(ahead)
            tickets = self._queue.take(min(room, self._lanes.together))
            if not tickets:
                break
            self.encode(self._begun(tickets), decoding)
        if capacity > 1 and self._room(len(decoding), capacity):
            while not any(window.urgent for window in self.waiting):
                longest = CLIP_S if any(w.ticket.first for w in self.waiting) else math.inf
                tickets = self._queue.take(1, first=True, longest_s=longest)
                if not tickets:
                    break
                self.encode(self._begun(tickets), decoding)
        # Steps of few rows take nearly the time of many: who makes them can encode as well.
        few = len(decoding) + len(self._ready) < capacity // 2
        if self._encoding and few and self._lanes.free_between:
            firsts = [window.ticket.first for window in (*decoding, *self.waiting)]
            # First windows stand still for first windows only.
            if all(firsts) or not any(firsts):
                tickets = self._queue.take(1, first=any(firsts))
                self.encode(self._begun(tickets), decoding, between=True)

    def encode(
        self,
        windows: Sequence[Admitted],
        decoding: Collection[Admitted],
        *,
        between: bool = False,
    ) -> None:
        """Begin to encode what windows ask for, those of like length together."""
        together = self._lanes.together
        windows = sorted(windows, key=lambda window: window.request.piece.length)
        batches = [windows[first : first + together] for first in range(0, len(windows), together)]
        if any(window.ticket.first for window in windows):
            # What is not begun yet stands back.
            begun = [each for each in self._encoding if not each[1].cancel()]
            batches += [later for later, future, _ in self._encoding if future.cancelled()]
            self._encoding = deque(begun)
        for batch in batches:
            idle = not (decoding or self._ready or self._encoding)
            begin = self._lanes.beside
            if all(self._would_wait(window) for window in batch):
                begin = self._lanes.at_once
            elif (between or idle) and self._lanes.free_between:
                begin = self._lanes.between_steps
            for window in batch:
                window.stage = Stage.ENCODING
            began = time.monotonic()
            future = begin([(window.ticket.window, window.request.piece) for window in batch])
            self._encoding.append((batch, future, began))

    def collect(self, timeout: float = 0.0) -> None:
        """Take over what is encoded, and raise what went wrong there; wait so long for any."""
        if timeout and self._encoding:
            wait([future for _, future, _ in self._encoding], timeout, FIRST_COMPLETED)
        for each in [each for each in self._encoding if each[1].done()]:
            windows, future, began = each
            for window, encoded in zip(windows, future.result(), strict=True):
                window.encoded, window.piece = encoded, window.request.piece
                window.stage = Stage.READY
            measures.ENCODE_SECONDS.record(time.monotonic() - began)
            self._encoding.remove(each)
            self._ready.extend(windows)

    def next(self, room: int, capacity: int) -> Admitted | None:
        """Who takes the next slot, of `room` that are free; it is ready no longer.

        A clip goes before a request's first window, and that before other requests' further
        ones. The last slot is kept for them: they need not wait until another window is done.
        """
        if not self._ready or room <= 0:
            return None
        window = min(self._ready, key=lambda window: (not window.urgent, not window.ticket.first))
        if room == 1 < capacity and not window.ticket.first:
            return None
        self._ready.remove(window)
        window.stage = Stage.DECODING
        return window

    def drop(self, window: Admitted) -> None:
        """Let go of a window that is ready."""
        if window in self._ready:
            self._ready.remove(window)

    def forget_encoding(self) -> None:
        """Let go of what is being encoded, since that has failed."""
        self._encoding.clear()

    def _room(self, decoding: int, capacity: int) -> int:
        ahead = self._lanes.ahead
        return max(0, capacity - decoding) if ahead is None else ahead

    def _begun(self, tickets: Sequence[Ticket]) -> list[Admitted]:
        return [window for ticket in tickets if (window := self._begin(ticket)) is not None]

    def _would_wait(self, window: Admitted) -> bool:
        """Whether a clip would wait for the encoder behind a window of a long recording."""
        return window.urgent and any(other.ticket.audio_s > CLIP_S for other in self.encoding)
