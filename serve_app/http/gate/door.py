"""Who need not be asked about again: requests like those that were refused a moment ago.

To refuse one costs the app and all that is before it some ten milliseconds of a core. Where a
hundred come at once, most of them are told here: few are before the app undecided, and what it
says of one holds for those like it that wait, and for a moment after.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

Kind = tuple[str, ...]
"""What makes requests alike: where they go, with which key, and about how large they are."""

MOST_UNDECIDED = 8

DECIDED_S = 0.25
"""The app has let in, or refused, within so long; or it is busy, and others may try."""

HOLDS_S = 1.0
"""How long a refusal holds for others: nobody was told to come again sooner."""

_LATEST_S = 300.0
_MOST_KINDS = 256


class _Refusal:
    def __init__(self) -> None:
        self.until = -math.inf
        self.told = -math.inf
        self.each_s = 0.0


class Pass:
    """A request that is before the app."""

    def __init__(self, door: "Door", kind: Kind) -> None:
        self._door = door
        self._kind = kind
        self._timer = asyncio.get_running_loop().call_later(DECIDED_S, self.decided)
        self._open = True

    def decided(self) -> None:
        """The app has let it in, or answered. A second time does nothing."""
        if self._open:
            self._open = False
            self._timer.cancel()
            self._door._left()

    def refused(self, later: float, each_s: float) -> None:
        """For want of room: there will be some in `later` seconds, and `each_s` after that for
        another like it."""
        self._door._note(self._kind, later, each_s)
        self.decided()


class Door:
    """In a proxy, before everything else that costs much."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._undecided = 0
        self._waiting: deque[tuple[Kind, asyncio.Future[int | None]]] = deque()
        self._refusals: dict[Kind, _Refusal] = {}

    def refusal(self, kind: Kind) -> int | None:
        """After how many seconds a request like those that were just refused may come again; None
        where the app has to be asked."""
        found = self._refusals.get(kind)
        now = self._clock()
        if found is None or found.until < now:
            return None
        later = max(1, math.ceil(found.told - now))
        found.told = min(found.told + found.each_s, now + _LATEST_S)
        return later

    async def enter(self, kind: Kind) -> Pass | int:
        """Wait for a turn before the app; or after how many seconds to come again, where a request
        like this one is refused meanwhile."""
        if self._undecided < MOST_UNDECIDED:
            self._undecided += 1
            return Pass(self, kind)
        turn: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((kind, turn))
        try:
            later = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result() is None:
                self._left()
            raise
        return Pass(self, kind) if later is None else later

    def _left(self) -> None:
        """One is decided: the next has its turn, which counts from now on."""
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._undecided -= 1

    def _note(self, kind: Kind, later: float, each_s: float) -> None:
        if kind not in self._refusals and len(self._refusals) >= _MOST_KINDS:
            del self._refusals[next(iter(self._refusals))]
        found = self._refusals.setdefault(kind, _Refusal())
        now = self._clock()
        found.until = now + HOLDS_S
        found.told = min(max(found.told, now + later + each_s), now + _LATEST_S)
        found.each_s = each_s
        alike = [turn for each, turn in self._waiting if each == kind and not turn.done()]
        self._waiting = deque(each for each in self._waiting if each[0] != kind)
        for turn in alike:
            turn.set_result(self.refusal(kind))
