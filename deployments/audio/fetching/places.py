"""Who may decode now, of the recordings that are here and of those still on their way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployments.audio.fetching.spool import Spool

SMALL_BYTES = 4 * 2**20
"""A download announced to be smaller is decoded once it is complete. It may then be read in
any order, which some formats need and which alone trims an MP3 exactly."""

_ENOUGH_BYTES = 64 * 2**10
"""Of a larger download, with which decoding begins."""


class Places:
    """So many for recordings that are here, and half as many for those that are not all here yet:
    a slow server keeps nobody waiting whose recording is."""

    def __init__(self, count: int) -> None:
        self._places = asyncio.Semaphore(count)
        self._early = asyncio.Semaphore(-(-count // 2))

    @asynccontextmanager
    async def of(self, spool: Spool | None) -> AsyncIterator[None]:
        """Wait for a place, and for enough of what `spool` is to hold, if it comes by one.

        Raises what ended the writing before that.
        """
        places = self._places
        if spool is not None and await self._takes_early(spool):
            places = self._early
        else:
            if spool is not None:
                spool.check()
            await places.acquire()
        try:
            yield
        finally:
            places.release()

    async def _takes_early(self, spool: Spool) -> bool:
        """Whether an early place was taken; the end of the recording may come first."""
        await spool.until(lambda: spool.ended or _worth_beginning(spool))
        if spool.ended:
            return False
        place = asyncio.create_task(self._early.acquire())
        end = asyncio.create_task(spool.until(lambda: spool.ended))
        try:
            await asyncio.wait((place, end), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if place.done():
                self._early.release()
            raise
        finally:
            place.cancel()
            end.cancel()
        return place.done()


def _worth_beginning(spool: Spool) -> bool:
    return spool.written >= _ENOUGH_BYTES and (
        spool.expected is None or spool.expected > SMALL_BYTES
    )
