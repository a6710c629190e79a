import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace

import pytest

from deployments.autoscaling import Load, Part
from deployments.diarization.outstanding import Outstanding
from interchange.stages import AnalysisOptions, Priority


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """Stretches of a diarizer whose thread is held up until `go`."""

    def __init__(self, outstanding: Outstanding, stack: ExitStack) -> None:
        self.done: list[str] = []
        self._outstanding, self._stack = outstanding, stack
        self._gate = threading.Event()
        self.ask("first", "interactive", 1, self._gate.wait)

    def ask(
        self, name: str, priority: Priority, in_flight: int, work: Callable[[], object] = bool
    ) -> Future[None]:
        def noted() -> None:
            work()
            self.done.append(name)

        options = AnalysisOptions(name, priority, in_flight)
        return self._stack.enter_context(self._outstanding.stretch(180, options, noted))

    def go(self) -> None:
        self._gate.set()


def test_a_clip_goes_before_the_rest_of_a_long_recording_and_a_job_last() -> None:
    clock = Clock()
    with ExitStack() as stack:
        asked = Asked(Outstanding(clock), stack)
        waiting = [
            *(asked.ask("job", "bulk", number) for number in (1, 2)),
            *(asked.ask(f"long {number}", "interactive", number) for number in (1, 2, 3)),
        ]
        clock.now += 1
        waiting.append(asked.ask("clip", "interactive", 1))
        asked.go()
        for each in waiting:
            each.result()
    assert asked.done == ["first", "long 1", "clip", "long 2", "job", "long 3", "job"]


def test_a_job_that_has_waited_goes_before_what_comes_then() -> None:
    clock = Clock()
    with ExitStack() as stack:
        asked = Asked(Outstanding(clock), stack)
        job = asked.ask("job", "bulk", 1)
        clock.now += 61
        clip = asked.ask("clip", "interactive", 1)
        asked.go()
        job.result(), clip.result()
    assert asked.done == ["first", "job", "clip"]


async def test_who_has_left_is_not_worked_for() -> None:
    outstanding = Outstanding()
    with ExitStack() as stack:
        asked = Asked(outstanding, stack)

        async def leaves() -> None:
            options = AnalysisOptions("left")
            with outstanding.stretch(180, options, lambda: asked.done.append("left")) as result:
                await asyncio.wrap_future(result)

        leaving = asyncio.create_task(leaves())
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        last = asked.ask("last", "bulk", 1)
        asked.go()
        last.result()
    assert asked.done == ["first", "last"]
    assert outstanding.load().pieces == 0


def test_stretches_count_while_they_wait_or_are_in_work() -> None:
    clock = Clock()
    outstanding = Outstanding(clock)
    with (
        outstanding.stretch(180, AnalysisOptions("long", in_flight=3), bool),
        outstanding.stretch(180, AnalysisOptions("long", in_flight=4), bool),
        outstanding.stretch(60, AnalysisOptions("job", "bulk"), bool),
    ):
        waiting = Load([Part(360, 0.5)], [Part(60, 1)], 3, 0, None)
        assert outstanding.load() == waiting
        with outstanding.work(600):
            clock.now += 6
        assert outstanding.load() == replace(waiting, rate=100)
        with outstanding.work(3600):
            assert outstanding.load() == replace(waiting, rate=100, leaving=100)
    assert outstanding.load() == Load([], [], 0, 0, 100)


def test_what_fails_does_not_count_as_done() -> None:
    outstanding = Outstanding(Clock())

    def fails() -> None:
        with outstanding.work(60):
            raise ValueError("it fails")

    with (
        outstanding.stretch(60, AnalysisOptions("r"), fails) as result,
        pytest.raises(ValueError, match="it fails"),
    ):
        result.result()
    assert outstanding.load() == Load([], [], 0, 0, None)
