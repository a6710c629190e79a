"""How much audio each key had worked off in the last day, as far as this process did it."""

import time
from collections import defaultdict, deque
from collections.abc import Callable

DAY_S = 86_400.0

_STEP_S = 600.0
"""What was worked off within so long is forgotten at once."""


class Usage:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: defaultdict[str, deque[list[float]]] = defaultdict(deque)

    def add(self, key: str, seconds: float) -> None:
        if not key or seconds <= 0:
            return
        began = self._clock() // _STEP_S * _STEP_S
        steps = self._steps[key]
        if not steps or steps[-1][0] < began:
            steps.append([began, 0.0])
        steps[-1][1] += seconds

    def seconds(self, key: str) -> float:
        """Of audio, within the last day."""
        steps = self._steps.get(key)
        if steps is None:
            return 0.0
        while steps and steps[0][0] + _STEP_S <= self._clock() - DAY_S:
            steps.popleft()
        if not steps:
            del self._steps[key]
        return sum(seconds for _, seconds in steps)
