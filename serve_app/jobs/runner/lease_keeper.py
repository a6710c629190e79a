"""Keeps the leases of one process alive, and stops the work whose lease is lost."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from interchange.errors import StoreUnavailable
from serve_app.jobs.job import Claim
from serve_app.jobs.store.leases import Leases

log = logging.getLogger("ray.serve")


def owner_name() -> str:
    """The name under which this process holds leases: no other has it, on any machine, nor this
    one a second time."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class LeaseKeeper:
    """`poll_s` is how often it looks for lost leases, `lease_s` how long they last: a third of
    that is the heartbeat. Both in seconds."""

    def __init__(self, leases: Leases, owner: str, *, poll_s: float, lease_s: float) -> None:
        self._leases = leases
        self._owner = owner
        self._poll_s = poll_s
        self._beat_s = lease_s / 3
        self._work: dict[tuple[str, int], asyncio.Task[object]] = {}
        self._lost: set[asyncio.Task[object]] = set()

    @contextmanager
    def keep(self, claim: Claim, work: asyncio.Task[object]) -> Iterator[None]:
        """Cancel `work` if the claim's lease is lost while the block lasts."""
        key = (claim.job.id, claim.job.fence)
        self._work[key] = work
        try:
            yield
        finally:
            del self._work[key]
            self._lost.discard(work)

    def lost(self, work: asyncio.Task[object]) -> bool:
        """Whether `work` was cancelled here, rather than by the end of the process."""
        return work in self._lost

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew())
            group.create_task(self._watch())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            if self._work:
                try:
                    await self._leases.renew(self._owner)
                except StoreUnavailable:
                    log.warning("The leases of %s could not be renewed.", self._owner)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            if self._work:
                try:
                    await self.check()
                except StoreUnavailable:
                    log.warning("The leases of %s could not be looked at.", self._owner)

    async def check(self) -> None:
        """Cancel the work whose lease is lost. Raises StoreUnavailable."""
        # What is claimed after the query began must not look lost.
        working = dict(self._work)
        held = await self._leases.held(self._owner)
        for key, work in working.items():
            if key not in held and key in self._work and work not in self._lost:
                log.info("Job %s was cancelled or went to another runner.", key[0])
                self._lost.add(work)
                work.cancel()
