"""A request is refused for a stage that is down, and for none that is up again."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from interchange.errors import Unavailable
from serve_app.http.intake import watch
from serve_app.http.intake.watch import PATIENCE_S, StageWatch


class Stages:
    """What the controller says of them; an exception is raised."""

    def __init__(self) -> None:
        self.state: Mapping[str, bool] | Exception = {"AudioLoader": True, "JobManager": True}
        self.looks = 0

    async def stages(self) -> Mapping[str, bool]:
        self.looks += 1
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    async def disk(self) -> bool:
        return True

    async def seen(self, times: int = 2) -> None:
        """So many looks from now have begun."""
        wanted = self.looks + times
        while self.looks < wanted:
            await asyncio.sleep(0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def stages() -> Stages:
    return Stages()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def check(stages: Stages, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.0)
    return StageWatch(stages, clock).check


async def test_refuses_once_a_stage_has_been_down_for_a_while(
    stages: Stages, clock: Clock, check: Callable[[], None]
) -> None:
    stages.state = {"AudioLoader": False, "JobManager": True}
    check()
    await stages.seen()
    clock.now = PATIENCE_S - 1
    check()
    clock.now = PATIENCE_S
    with pytest.raises(Unavailable, match="No replica of AudioLoader is up; try again later"):
        check()


async def test_a_stage_that_came_back_while_nobody_asked_refuses_no_one(
    stages: Stages, clock: Clock, check: Callable[[], None]
) -> None:
    stages.state = {"AudioLoader": False, "JobManager": False}
    check()
    await stages.seen()
    stages.state = {"AudioLoader": True, "JobManager": True}
    await asyncio.sleep(0.01)
    looks = stages.looks
    clock.now = 10 * PATIENCE_S
    check()
    await asyncio.sleep(0.01)
    assert stages.looks == looks + 1, "all are up: it looks when somebody asks"


async def test_a_controller_that_cannot_answer_changes_nothing(
    stages: Stages, clock: Clock, check: Callable[[], None]
) -> None:
    stages.state = {"AudioLoader": False}
    check()
    await stages.seen()
    stages.state = ConnectionError("the controller is gone")
    await stages.seen()
    clock.now = PATIENCE_S
    with pytest.raises(Unavailable):
        check()
    stages.state = {"AudioLoader": True}
    await stages.seen(1)
    check()
