"""How many replicas a stage needs, by the time that what waits for it would take.

Serve asks each replica for the figures of its `Demand`, and `by_seconds` for a number of replicas.
Its own delays, steps and bounds apply to the answer. At no replicas it does not ask: it starts one
as soon as a request waits, and a job in work is one.

Serve copies this module into its controller, which may not find others of ours: it imports none.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Part:
    """What a replica has of one recording, waiting or in work: seconds of audio, and how many
    replicas these may ask for. All parts of a recording together ask for one at most: it is done as
    fast then as if it were alone."""

    seconds: float
    most: float


@dataclass(frozen=True, slots=True)
class Load:
    """What one replica has on its hands: parts of recordings that somebody waits for, and of jobs.

    `pieces` are how many windows or recordings they are, `leaving` the seconds of audio that are
    done in a second, and `rate` what the replica can do, None where that is not known yet.
    """

    hurried: Sequence[Part]
    patient: Sequence[Part]
    pieces: int
    leaving: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class Demand:
    """How many replicas there should be for what one of them has on its hands.

    `soon`: so that nothing hurried waits for longer than wanted; `in_time`: so that nothing at all
    waits for longer than a job may; `steady`: so that it goes on as it went in the last minute.
    `pieces` are those of its load.
    """

    soon: float
    in_time: float
    steady: float
    pieces: float

    @classmethod
    def of(cls, load: Load, wait_s: float, bulk_wait_s: float) -> "Demand":
        if load.rate is None:
            # Until a replica knows its own rate, it asks for no other.
            return cls(float(bool(load.hurried)), float(load.pieces > 0), 0.0, float(load.pieces))
        return cls(
            soon=_replicas(load.hurried, load.rate * wait_s),
            in_time=_replicas([*load.hurried, *load.patient], load.rate * bulk_wait_s),
            steady=min(load.leaving / load.rate, 1.0),
            pieces=float(load.pieces),
        )

    def stats(self) -> dict[str, float]:
        """For Serve's `record_autoscaling_stats`."""
        return asdict(self)


def _replicas(parts: Sequence[Part], seconds: float) -> float:
    """For these, where one does so many seconds in the time that there is."""
    return sum(min(part.seconds / seconds, part.most) for part in parts)


def needed(demands: Sequence[Demand], elsewhere: float) -> int:
    """Replicas for what these have on their hands, and for `elsewhere` requests that none of them
    has room for, which are taken to be like those."""
    pieces = sum(each.pieces for each in demands)
    share = 1 + elsewhere / pieces if pieces else 1.0
    wanted = max(
        share * sum(each.soon for each in demands),
        share * sum(each.in_time for each in demands),
        sum(each.steady for each in demands),
        min(elsewhere, 1.0),
    )
    return math.ceil(wanted - 1e-9)  # sums of parts that make one whole


class Context(Protocol):
    """What is read of Serve's `AutoscalingContext`."""

    current_num_replicas: int
    target_num_replicas: int
    capacity_adjusted_min_replicas: int
    capacity_adjusted_max_replicas: int
    total_queued_requests: float
    raw_metrics: Mapping[str, Mapping[Any, Sequence[Any]]] | None


def by_seconds(context: Context) -> tuple[int, dict[str, Any]]:
    """The policy: `policy_function: deployments.autoscaling:by_seconds`."""
    wanted = context.target_num_replicas
    demands = reported(context.raw_metrics or {})
    # One that starts, or cannot say how it does, is no reason to have more or fewer.
    if context.current_num_replicas and demands:
        wanted = needed(demands, context.total_queued_requests or 0.0)
    least, most = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
    return max(least, min(wanted, most)), {}


def reported(metrics: Mapping[str, Mapping[Any, Sequence[Any]]]) -> list[Demand]:
    """The newest figures of each replica that reported all of them."""
    series = [metrics.get(field.name, {}) for field in fields(Demand)]
    known = [replica for replica in series[0] if all(each.get(replica) for each in series)]
    return [Demand(*(each[replica][-1].value for each in series)) for replica in known]
