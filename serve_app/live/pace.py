"""How often a hypothesis is worth its cost."""

_SHORTEST_S = 0.6
_LONGEST_S = 2.0
_SHARE = 3.0  # an interval is at least so many times what a hypothesis takes


class Pace:
    """Seconds of new speech between two hypotheses: more where the recognizer is slow."""

    def __init__(self) -> None:
        self._took_s = 0.0

    def took(self, seconds: float) -> None:
        self._took_s += 0.3 * (seconds - self._took_s)

    @property
    def interval_s(self) -> float:
        return min(max(_SHORTEST_S, _SHARE * self._took_s), _LONGEST_S)
