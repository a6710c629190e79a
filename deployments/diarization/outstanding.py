"""What a diarizer has on its hands: recordings that wait for it, and the one in work."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployments.autoscaling import Load, Part
from interchange.pace import Pace
from interchange.stages import Priority


class Outstanding:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._left: list[tuple[float, Priority]] = []
        self._pace = Pace(clock)
        self._in_work = False

    @contextmanager
    def recording(self, seconds: float, priority: Priority) -> Iterator[None]:
        """It waits, or is in work, while the block lasts."""
        this = (seconds, priority)
        self._left.append(this)
        try:
            yield
        finally:
            self._left.remove(this)

    @contextmanager
    def work(self, seconds: float) -> Iterator[None]:
        """The one recording in work is worked on while the block lasts."""
        self._in_work = True
        self._pace.enough(True)
        try:
            yield
            self._pace.done(seconds)
        finally:
            self._pace.enough(False)
            self._in_work = False

    def load(self) -> Load:
        left = list(self._left)
        rate = self._pace.rate
        return Load(
            hurried=[Part(seconds, 1.0) for seconds, priority in left if priority == "interactive"],
            patient=[Part(seconds, 1.0) for seconds, priority in left if priority == "bulk"],
            pieces=len(left),
            # Recordings are few and long: what counts is whether one is in work.
            leaving=(rate or 0.0) if self._in_work else 0.0,
            rate=rate,
        )
