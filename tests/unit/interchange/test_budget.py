"""A request's time, handed on and kept."""

import asyncio
import pickle
from collections.abc import AsyncGenerator

import pytest

from interchange import budget
from interchange.errors import OutOfTime


async def test_what_is_begun_later_has_what_is_left() -> None:
    async def left() -> float | None:
        return budget.left()

    assert await asyncio.create_task(left()) is None
    budget.begin(60)
    begun = await asyncio.create_task(left())
    assert begun is not None
    assert 59 < begun <= 60
    await asyncio.sleep(0.01)
    later = budget.left()
    assert later is not None
    assert later < begun
    budget.begin(0)
    assert budget.left() is None


async def test_time_that_is_over_is_never_less_than_none() -> None:
    budget.begin(0.001)
    await asyncio.sleep(0.01)
    assert budget.left() == 0
    with pytest.raises(OutOfTime):
        async with budget.within(budget.left()):
            await asyncio.Event().wait()


async def test_what_takes_too_long_is_stopped() -> None:
    stopped = False

    async def work() -> None:
        nonlocal stopped
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped = True
            raise

    with pytest.raises(OutOfTime, match="as a job"):
        async with budget.within(0.01):
            await work()
    assert stopped


async def test_timeouts_of_others_pass() -> None:
    with pytest.raises(TimeoutError):
        async with budget.within(60):
            raise TimeoutError


@pytest.mark.parametrize("seconds", [None, 60.0])
async def test_a_stream_in_time_is_as_it_was(seconds: float | None) -> None:
    async def events() -> AsyncGenerator[int, None]:
        for number in range(3):
            yield number

    assert [each async for each in budget.each_within(seconds, events())] == [0, 1, 2]


async def test_a_stream_ends_with_the_time_and_is_closed() -> None:
    closed = False

    async def events() -> AsyncGenerator[int, None]:
        nonlocal closed
        try:
            yield 0
            await asyncio.Event().wait()
        finally:
            closed = True

    timed = budget.each_within(0.05, events())
    assert await anext(timed) == 0
    with pytest.raises(OutOfTime):
        await anext(timed)
    assert closed


def test_the_error_crosses_the_graph() -> None:
    error = pickle.loads(pickle.dumps(OutOfTime()))
    assert (error.status, error.code, error.message) == (504, "out_of_time", OutOfTime().message)
