"""Recordings as they come in: made up, with the shapes that services see."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from interchange.stages import Priority

HOUR = 3600.0
Rate = Callable[[float], float]
"""How many come a second, at a time."""
_WINDOW_S = 25.0
"""A full one; the last of a recording is shorter."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A recording of so many seconds that comes at `at` seconds."""

    at: float
    seconds: float
    priority: Priority = "interactive"

    @property
    def windows(self) -> tuple[float, ...]:
        """The seconds of each."""
        full, rest = divmod(self.seconds, _WINDOW_S)
        return (_WINDOW_S,) * int(full) + ((rest,) if rest else ())


def a_day(seed: int) -> list[Arrival]:
    """Clips and meetings by the hour of the day, four bursts, a thousand clips at once, jobs in the
    evening, and one recording of 10 h."""
    dice = random.Random(seed)
    found = list(_clips(dice, 0, 24 * HOUR, lambda at: 0.02 + 0.6 * _daylight(at)))
    found += _meetings(dice, 0, 24 * HOUR, lambda at: 0.03 * _daylight(at))
    for hour in (9.2, 10.6, 14.1, 16.3):
        found += _clips(dice, hour * HOUR, (hour + 0.05) * HOUR, lambda _: 8.0)
    found += [Arrival(11.5 * HOUR, _clip(dice)) for _ in range(1000)]
    found += [Arrival(21 * HOUR + 20 * n, dice.uniform(0.5, 1.5) * HOUR, "bulk") for n in range(60)]
    found.append(Arrival(13 * HOUR, 10 * HOUR, "bulk"))
    return sorted(found, key=lambda each: each.at)


def a_surge(seed: int) -> list[Arrival]:
    """Two hours with twenty minutes in them in which fifty times as much comes as before."""
    dice = random.Random(seed)
    found = [
        *_clips(dice, 0, 2 * HOUR, lambda _: 3.0),
        *_meetings(dice, 0, 2 * HOUR, lambda _: 0.01),
    ]
    begin, end = 0.5 * HOUR, 0.5 * HOUR + 1200
    found += _clips(dice, begin, end, lambda at: 150 * min(1.0, (at - begin) / 300))
    return sorted(found, key=lambda each: each.at)


def _daylight(at: float) -> float:
    """From 0 at night to 1 at two in the afternoon."""
    hour = at / HOUR % 24
    return max(0.0, math.sin((hour - 7) / 14 * math.pi)) if 7 < hour < 21 else 0.0


def _clips(dice: random.Random, begin: float, end: float, rate: Rate) -> Iterator[Arrival]:
    return (Arrival(at, _clip(dice)) for at in _times(dice, begin, end, rate))


def _meetings(dice: random.Random, begin: float, end: float, rate: Rate) -> Iterator[Arrival]:
    return (Arrival(at, dice.uniform(300, 3600)) for at in _times(dice, begin, end, rate))


def _clip(dice: random.Random) -> float:
    return min(25.0, max(1.0, dice.lognormvariate(math.log(5), 0.7)))


def _times(dice: random.Random, begin: float, end: float, rate: Rate) -> Iterator[float]:
    """A Poisson process of so many a second, as `rate` says for each time."""
    at = begin
    most = max(rate(begin + part / 500 * (end - begin)) for part in range(501))
    while (at := at + dice.expovariate(most)) < end:
        if dice.random() < rate(at) / most:
            yield at
