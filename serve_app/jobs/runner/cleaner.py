"""What has to be tidied up from time to time."""

import asyncio
import logging
from typing import get_args

from interchange import measures
from interchange.errors import StoreUnavailable, Unavailable
from interchange.files.blobs import BlobStore
from interchange.stages import BlobSource
from serve_app.jobs.job import JobStatus
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases

log = logging.getLogger("ray.serve")

_REAP_S = 5.0
_TIDIES_EVERY = 2  # passes of _REAP_S: ten seconds
_EXPIRES_EVERY = 120  # ten minutes


class Cleaner:
    """Ends requests whose process died, and removes what is past its time."""

    def __init__(self, store: JobStore, leases: Leases, blobs: BlobStore) -> None:
        self._store = store
        self._leases = leases
        self._blobs = blobs

    async def run(self) -> None:
        """Until cancelled."""
        passes = 0
        while True:
            try:
                await self._leases.reap()
                if passes % _EXPIRES_EVERY == 0:
                    await self.expire()
                if passes % _TIDIES_EVERY == 0:
                    await self.tidy()
                    await self.count()
            except StoreUnavailable as error:
                log.warning("The job store was not tidied up: %s", error)
            except Unavailable as error:
                log.warning("The blob store was not tidied up: %s", error)
            passes += 1
            await asyncio.sleep(_REAP_S)

    async def count(self) -> None:
        """Tell how many jobs there are in each state."""
        counted = await self._store.count()
        for state in get_args(JobStatus):
            measures.JOBS.record(counted.get(state, 0), state=state)

    async def expire(self) -> None:
        """Remove jobs past their retention time."""
        while await self._store.expire():
            pass

    async def tidy(self) -> None:
        """Remove what a request whose process died, or a crash, has left in the storage."""
        keys = await self._blobs.leftovers()
        for begin in range(0, len(keys), 500):
            some = keys[begin : begin + 500]
            known = await self._store.knows_blobs(some)
            for key in some:
                if key not in known:
                    log.info("Removing blob %s, which belongs to no job.", key)
                    await self._blobs.delete(BlobSource(key, "leftover"))
