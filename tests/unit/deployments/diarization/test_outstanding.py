from dataclasses import replace

import pytest

from deployments.autoscaling import Load, Part
from deployments.diarization.outstanding import Outstanding


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_recordings_count_while_they_wait_or_are_in_work() -> None:
    clock = Clock()
    outstanding = Outstanding(clock)
    with outstanding.recording(600, "interactive"), outstanding.recording(3600, "bulk"):
        waiting = Load([Part(600, 1)], [Part(3600, 1)], 2, 0, None)
        assert outstanding.load() == waiting
        with outstanding.work(600):
            clock.now += 6
        assert outstanding.load() == replace(waiting, rate=100)
        with outstanding.work(3600):
            assert outstanding.load() == replace(waiting, rate=100, leaving=100)
    assert outstanding.load() == Load([], [], 0, 0, 100)


def test_a_recording_that_failed_or_was_cancelled_waits_no_longer() -> None:
    outstanding = Outstanding(Clock())
    with (
        pytest.raises(ValueError, match="it fails"),
        outstanding.recording(60, "interactive"),
        outstanding.work(60),
    ):
        raise ValueError("it fails")
    assert outstanding.load() == Load([], [], 0, 0, None)
