"""What was measured, for tests to look at."""

from collections.abc import Mapping

from interchange.measures import Measure


class Figures:
    """A sink that keeps all figures."""

    def __init__(self) -> None:
        self.recorded: list[tuple[Measure, float, dict[str, str]]] = []

    def record(self, measure: Measure, value: float, labels: Mapping[str, str]) -> None:
        assert set(labels) == set(measure.labels), measure.name
        self.recorded.append((measure, value, dict(labels)))

    def of(self, measure: Measure, **labels: str) -> list[float]:
        """The figures of a measure with these labels, in order."""
        return [
            value
            for recorded, value, its in self.recorded
            if recorded == measure and labels.items() <= its.items()
        ]
