"""How long somebody waits for an answer, at most: one budget of time a request.

It begins where the request arrives, and goes with whatever its task begins. A call to another
process takes along what is left of it, in seconds, since clocks differ from machine to machine;
there it is counted anew. So work ends by itself where nobody is left to cancel it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from typing import TypeVar

from interchange.errors import OutOfTime

T = TypeVar("T")

_ENDS: ContextVar[float | None] = ContextVar("budget", default=None)
"""By the clock of the event loop."""


def begin(seconds: float) -> None:
    """This task, and what it begins, has so many seconds from now on; 0: as many as it takes."""
    _ENDS.set(asyncio.get_running_loop().time() + seconds if seconds else None)


def left() -> float | None:
    """Seconds, 0 where they are over, None where they are not counted."""
    ends = _ENDS.get()
    return None if ends is None else max(ends - asyncio.get_running_loop().time(), 0.0)


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Raises OutOfTime where the block takes longer; it is cancelled then."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise OutOfTime from error
        raise


async def each_within(
    seconds: float | None, events: AsyncGenerator[T, None]
) -> AsyncGenerator[T, None]:
    """The events, as long as time is left for them. Raises OutOfTime."""
    ends = None if seconds is None else asyncio.get_running_loop().time() + seconds
    async with aclosing(events):
        while True:
            rest = None if ends is None else ends - asyncio.get_running_loop().time()
            try:
                async with within(rest):
                    event = await anext(events)
            except StopAsyncIteration:
                return
            yield event
