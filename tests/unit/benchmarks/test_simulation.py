import pytest

from benchmarks.simulation.__main__ import HEADS, Compared, _spread
from benchmarks.simulation.graph import Costs, Outcome, Simulation
from benchmarks.simulation.load import HOUR, Arrival, a_day, a_surge
from benchmarks.simulation.policies import Policy, ours, serves_own

COSTS = Costs(per_window=0.0, per_second=0.1, cold_start=30, places=64, in_flight=16)
CONFIG = {"max_replicas": 8, "upscale_delay_s": 10, "downscale_delay_s": 60}


def run(policy: Policy, arrivals: list[Arrival], until: float = 600) -> Outcome:
    return Simulation(policy, COSTS, wait_s=10, bulk_wait_s=600).run(arrivals, until)


@pytest.fixture(params=["ours", "Serve's"])
def policy(request: pytest.FixtureRequest) -> Policy:
    return ours(min_replicas=1, **CONFIG) if request.param == "ours" else serves_own(4, **CONFIG)


def test_everything_is_done_and_nobody_waits_on_an_idle_replica(policy: Policy) -> None:
    outcome = run(policy, [Arrival(10.0 * n, 20) for n in range(40)])
    assert len(outcome.waits) == 40
    assert outcome.wait(0.99) == pytest.approx(0, abs=1e-6)
    assert outcome.most == 1
    assert outcome.replica_s == pytest.approx(600, abs=10)


def test_a_burst_brings_replicas_and_they_go_again(policy: Policy) -> None:
    outcome = run(policy, [Arrival(100, 20) for _ in range(200)])
    assert len(outcome.waits) == 200
    assert 1 < outcome.most <= 8
    assert outcome.changes >= 2
    assert outcome.replica_s < 8 * 600


def test_a_request_wakes_a_replica_where_there_is_none() -> None:
    outcome = run(ours(min_replicas=0, **CONFIG), [Arrival(95, 20)])
    (wait,) = outcome.waits
    assert 30 <= wait <= 41
    assert outcome.replica_s < 200


def test_jobs_alone_do_not_bring_replicas_that_nobody_waits_for() -> None:
    jobs = [Arrival(0, HOUR, "bulk")]
    assert run(ours(min_replicas=1, **CONFIG), jobs).most == 1
    assert run(serves_own(4, **CONFIG), jobs).most > 1


@pytest.mark.slow
def test_a_seed_makes_a_load_and_a_window_is_at_most_30_s() -> None:
    for load in (a_day, a_surge):
        assert load(1)[:100] == load(1)[:100]
        assert load(1)[:100] != load(2)[:100]
    day = a_day(1)
    assert all(0 < max(each.windows) <= 30 for each in day)
    assert [each for each in day if each.seconds == 10 * HOUR]


def test_the_spread_over_seeds_is_that_of_our_policies(capsys: pytest.CaptureFixture[str]) -> None:
    def seed(hours: float, saved: float | None) -> Compared:
        figures = dict(zip(HEADS, (0.5, 20.0, hours, 32, 10), strict=True))
        return {"ours": figures | {"saved": saved}, "Serve's": figures}

    _spread("day", [seed(60, 0.3), seed(70, None), seed(90, 0.25)])
    said = capsys.readouterr().out
    assert "day, 3 seeds" in said
    assert "70 (60 to 90)" in said
    assert "28 % (25 to 30)" in said
    assert "Serve's |" not in said
