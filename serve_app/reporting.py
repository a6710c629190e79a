"""What a replica measures, on its way to Prometheus: Ray gathers it on each node."""

from collections.abc import Mapping
from typing import TypeAlias

from ray.serve import metrics

from interchange.measures import PREFIX, Measure, send_to

_Metric: TypeAlias = metrics.Counter | metrics.Gauge | metrics.Histogram


def report() -> None:
    """Hand this replica's figures to Ray from now on."""
    send_to(_ToRay())


class _ToRay:
    def __init__(self) -> None:
        self._metrics: dict[str, _Metric] = {}

    def record(self, measure: Measure, value: float, labels: Mapping[str, str]) -> None:
        metric = self._metrics.get(measure.name)
        if metric is None:
            metric = self._metrics[measure.name] = _made(measure)
        tags = dict(labels)
        match metric:
            case metrics.Counter():
                if value > 0:  # Ray refuses to add nothing
                    metric.inc(value, tags)
            case metrics.Gauge():
                metric.set(value, tags)
            case metrics.Histogram():
                metric.observe(value, tags)


def _made(measure: Measure) -> _Metric:
    name, description, labels = PREFIX + measure.name, measure.description, measure.labels
    match measure.kind:
        case "counter":
            return metrics.Counter(name, description, labels)
        case "gauge":
            return metrics.Gauge(name, description, labels)
        case "histogram":
            return metrics.Histogram(name, description, list(measure.boundaries), labels)
