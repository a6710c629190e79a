"""How fast audio is worked off, and how much of it comes."""

import time
from collections import deque
from collections.abc import Callable

_SAMPLE_S = 5.0
"""How long there has to be enough audio before a rate counts."""

_WEIGHT = 0.3
"""Of the newest rate, against those before it."""

_SPAN_S = 60.0


class Pace:
    """`rate`: seconds of audio that are worked off in a second, measured while there are enough of
    them; None until then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate: float | None = None
        self._clock = clock
        self._since: float | None = None
        self._spent_s = 0.0
        self._done_s = 0.0

    def enough(self, there_is: bool) -> None:
        """Whether there is as much audio, from now on, as can be worked off."""
        now = self._clock()
        if self._since is not None:
            self._spent_s += now - self._since
        self._since = now if there_is else None
        if self._spent_s >= _SAMPLE_S and self._done_s > 0:
            measured = self._done_s / self._spent_s
            before = measured if self.rate is None else self.rate
            self.rate = before + _WEIGHT * (measured - before)
            self._spent_s = self._done_s = 0.0

    def done(self, seconds: float) -> None:
        """So much audio was worked off; it counts where there was enough."""
        if self._since is not None:
            self._done_s += seconds


class Flow:
    """Seconds of audio that passed in the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._passed: deque[tuple[float, float]] = deque()
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._passed.append((self._clock(), seconds))
        self._sum_s += seconds

    @property
    def per_s(self) -> float:
        """Seconds of audio a second; of a flow younger than a minute as if it were one."""
        now = self._clock()
        while self._passed and self._passed[0][0] < now - _SPAN_S:
            self._sum_s -= self._passed.popleft()[1]
        # Emptied, it is exactly empty: sums of floats drift.
        self._sum_s = self._sum_s if self._passed else 0.0
        return self._sum_s / _SPAN_S
