from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray import cloudpickle
from ray.serve import autoscaling_policy
from ray.serve._private.common import TimeStampedValue
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from deployments import autoscaling
from deployments.autoscaling import Demand, Load, Part, by_seconds, needed, reported

PATH = "deployments.autoscaling:by_seconds"
WAIT_S, BULK_S = 10.0, 600.0


def load(
    hurried_s: float = 0.0,
    patient_s: float = 0.0,
    pieces: int = 1000,
    *,
    recordings: int = 1000,
    leaving: float = 0.0,
    rate: float | None = 50.0,
) -> Load:
    """Of as many recordings on this replica alone, alike."""
    hurried = [Part(hurried_s / recordings, 1.0)] * recordings if hurried_s else []
    patient = [Part(patient_s / recordings, 1.0)] * recordings if patient_s else []
    return Load(hurried, patient, pieces, leaving, rate)


def demand(this: Load) -> Demand:
    return Demand.of(this, WAIT_S, BULK_S)


NOTHING = demand(load(pieces=0))

demands = st.lists(
    st.builds(
        load,
        hurried_s=st.floats(0, 1e6),
        patient_s=st.floats(0, 1e6),
        pieces=st.integers(1, 10_000),
        recordings=st.integers(1, 50),
        leaving=st.floats(0, 1e4),
        rate=st.none() | st.floats(0.1, 3000),
    ).map(demand),
    max_size=16,
)
queued = st.floats(0, 1e5)


def context(
    found: list[Demand],
    *,
    elsewhere: float = 0.0,
    target: int = 1,
    running: int | None = None,
    least: int = 0,
    most: int = 512,
) -> AutoscalingContext:
    stats = [each.stats() for each in found]
    metrics = {
        name: {f"replica {at}": [TimeStampedValue(0, 7.0), TimeStampedValue(1, each[name])]
               for at, each in enumerate(stats)}
        for name in NOTHING.stats()
    }  # fmt: skip
    return AutoscalingContext(
        deployment_id=None,
        deployment_name="SpeechRecognizer",
        app_name="app",
        current_num_replicas=len(found) if running is None else running,
        target_num_replicas=target,
        running_replicas=[],
        total_num_requests=elsewhere,
        total_queued_requests=elsewhere,
        aggregated_metrics=None,
        raw_metrics=metrics,
        capacity_adjusted_min_replicas=least,
        capacity_adjusted_max_replicas=most,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=None,
        config=AutoscalingConfig(min_replicas=least, max_replicas=most),
    )


@pytest.mark.parametrize(
    ("found", "elsewhere", "replicas"),
    [
        # 50 s of audio a second, and nobody waits for longer than 10 s: 500 s for each replica.
        ([load(500)], 0, 1),
        ([load(501)], 0, 2),
        ([load(1000), load(1000)], 0, 4),
        ([load(0), load(5000)], 0, 10),
        # Jobs may wait for 600 s.
        ([load(0, 30_000)], 0, 1),
        ([load(0, 31_000)], 0, 2),
        # What somebody waits for goes first, so jobs do not make it wait.
        ([load(500, 29_500)], 0, 1),
        # A recording asks for one replica, however long it is, and wherever its windows are.
        ([load(36_000, recordings=1)], 0, 1),
        ([load(36_000, recordings=3)], 0, 3),
        ([Load([Part(1500, 0.25)], [], 60, 0, 50)] * 4, 0, 1),
        ([Load([Part(1500, 0.25)] * 3, [], 180, 0, 50)] * 4, 0, 3),
        # Nothing waits, and as much goes as two replicas can do.
        ([load(leaving=40), load(leaving=40), load()], 0, 2),
        # More than a replica can do does not leave it.
        ([load(leaving=500)], 0, 1),
        # A thousand windows that no replica has room for are like the thousand of this one.
        ([load(500)], 1000, 2),
        ([load(500), load(500)], 1000, 3),
        # Nothing at all.
        ([load(pieces=0)], 0, 0),
        ([load(pieces=0)], 3, 1),
        # Before a replica knows how fast it is.
        ([load(10_000, rate=None)], 0, 1),
        ([load(pieces=0, rate=None)], 0, 0),
    ],
)
def test_replicas_for_what_waits(found: list[Load], elsewhere: float, replicas: int) -> None:
    assert needed([demand(each) for each in found], elsewhere) == replicas


@given(demands, queued, st.integers(0, 5), st.integers(5, 512), st.integers(0, 600))
def test_bounds_hold(
    found: list[Demand], elsewhere: float, least: int, most: int, target: int
) -> None:
    wanted, _ = by_seconds(
        context(found, elsewhere=elsewhere, target=target, least=least, most=most)
    )
    assert least <= wanted <= most


@given(demands, queued, st.floats(0, 1e6), st.data())
def test_more_to_do_never_asks_for_fewer(
    found: list[Demand], elsewhere: float, more: float, data: st.DataObject
) -> None:
    before = needed(found, elsewhere)
    assert needed(found, elsewhere + more) >= before
    if found:
        at = data.draw(st.integers(0, len(found) - 1))
        part = found[at]
        busier = Demand(part.soon + more, part.in_time, part.steady, part.pieces)
        assert needed([*found[:at], busier, *found[at + 1 :]], elsewhere) >= before


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 500), st.floats(0.1, 3000))
def test_more_audio_never_asks_for_fewer(
    hurried: float, more: float, recordings: int, rate: float
) -> None:
    less = demand(load(hurried, recordings=recordings, rate=rate))
    much = demand(load(hurried + more, recordings=recordings, rate=rate))
    assert needed([much], 0) >= needed([less], 0)


# ---------------------------------------------------------------------------------- with Serve


def test_the_newest_figures_count_of_replicas_that_report_all() -> None:
    one, other = demand(load(700)), demand(load(300))
    found = context([one, other])
    assert found.raw_metrics is not None
    assert reported(found.raw_metrics) == [one, other]
    del found.raw_metrics["steady"]["replica 0"]
    assert reported(found.raw_metrics) == [other]


@pytest.mark.parametrize("running", [0, 2])
def test_without_figures_everything_stays_as_it_is(running: int) -> None:
    assert by_seconds(context([], running=running, target=3, elsewhere=50)) == (3, {})


class Scaled:
    """The policy as Serve calls it, with its delays, by a clock of its own."""

    def __init__(self, **config: Any) -> None:
        self._config = AutoscalingConfig(policy=AutoscalingPolicy(policy_function=PATH), **config)
        policy = self._config.policy.get_policy()
        self._decide = autoscaling_policy._apply_autoscaling_config(policy)
        self._state: dict[str, Any] = {}
        self.target: int = self._config.min_replicas
        self.now = 0.0

    def after(self, seconds: float, found: list[Demand], elsewhere: float = 0) -> int:
        self.now += seconds
        this = context(
            found,
            elsewhere=elsewhere,
            target=self.target,
            least=self._config.min_replicas,
            most=self._config.max_replicas,
        )
        this.config, this.policy_state = self._config, self._state
        with patch.object(autoscaling_policy, "time", SimpleNamespace(time=lambda: self.now)):
            self.target, self._state = self._decide(this)
        return self.target


DELAYS = {"upscale_delay_s": 20, "downscale_delay_s": 300, "max_replicas": 8}


def test_replicas_come_after_one_delay_and_go_after_another() -> None:
    scaled = Scaled(min_replicas=1, **DELAYS)
    busy, idle = [demand(load(2000))], [demand(load(0, pieces=0))] * 4
    assert scaled.after(0, busy) == 1
    assert scaled.after(10, busy) == 1
    assert scaled.after(10, busy) == 4
    assert scaled.after(10, idle) == 4
    assert scaled.after(290, idle) == 4
    assert scaled.after(10, idle) == 1


def test_the_last_replica_goes_where_none_need_be_and_a_request_wakes_one() -> None:
    scaled = Scaled(min_replicas=0, **DELAYS)
    assert scaled.after(0, [], elsewhere=1) == 1  # a job that is worked on calls its loader
    assert scaled.after(10, [NOTHING]) == 1
    assert scaled.after(300, [NOTHING]) == 0
    assert scaled.after(3600, []) == 0
    assert scaled.after(10, [], elsewhere=1) == 1


@given(st.lists(st.tuples(st.floats(0.1, 60), st.floats(0, 5000)), max_size=200))
def test_nothing_flaps_within_its_delays(steps: list[tuple[float, float]]) -> None:
    scaled = Scaled(min_replicas=1, **DELAYS)
    changes = [(0.0, 1)]
    for seconds, hurried in steps:
        before = scaled.target
        target = scaled.after(seconds, [demand(load(hurried / before))] * before)
        assert 1 <= target <= 8
        if target != before:
            changes.append((scaled.now, target))
    for (then, before), (now, after) in pairwise(changes):
        least = 20 if after > before else 300
        assert now - then >= least - 1e-6


def test_it_needs_nothing_that_serves_controller_may_not_find() -> None:
    """Serve copies the module that a policy is in, and imports all others."""
    loaded = cloudpickle.loads(AutoscalingPolicy(policy_function=PATH).get_serialized_policy_def())
    assert loaded(context([demand(load(501))])) == (2, {})
    ours = ("configs", "deployments", "interchange", "serve_app")
    names = {getattr(each, "__module__", "") or "" for each in vars(autoscaling).values()}
    assert {name for name in names if name.startswith(ours)} == {autoscaling.__name__}
