import pytest

from interchange.pace import Flow, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_pace_is_unknown_until_there_was_enough_for_a_while() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.enough(True)
    clock.now = 4
    pace.done(40)
    pace.enough(True)
    assert pace.rate is None
    clock.now = 8
    pace.done(40)
    pace.enough(False)
    assert pace.rate == 10


def test_what_is_done_while_there_is_too_little_does_not_count() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.done(1000)
    clock.now = 100
    pace.enough(True)
    clock.now = 110
    pace.done(50)
    pace.enough(False)
    clock.now = 500
    pace.done(1000)
    pace.enough(False)
    assert pace.rate == 5


def test_a_pace_follows_what_was_measured_last() -> None:
    clock = Clock()
    pace = Pace(clock)
    for rate in [10.0] + [40.0] * 20:
        pace.enough(True)
        clock.now += 10
        pace.done(rate * 10)
        pace.enough(False)
    assert pace.rate == pytest.approx(40, rel=0.01)


def test_a_flow_is_that_of_the_last_minute() -> None:
    clock = Clock()
    flow = Flow(clock)
    flow.add(60)
    clock.now = 30
    flow.add(120)
    assert flow.per_s == 3
    clock.now = 61
    assert flow.per_s == 2
    clock.now = 91
    assert flow.per_s == 0
