"""Is there a stage that has been down for so long that nobody should wait for it?"""

import asyncio
import logging
import time
from collections.abc import Callable

from interchange.errors import Unavailable
from serve_app.http.services import Readiness

log = logging.getLogger("ray.serve")

LOOK_EVERY_S = 5.0

PATIENCE_S = 20.0
"""A replica that died is replaced meanwhile, and its requests go on: nobody need notice."""

_RETRY_AFTER_S = 15


class StageWatch:
    """Looks at the stages beside the requests that ask about them: no request waits for it.

    While one is down it goes on looking: what was seen minutes ago says nothing of now.
    """

    def __init__(self, readiness: Readiness, clock: Callable[[], float] = time.monotonic) -> None:
        self._readiness = readiness
        self._clock = clock
        self._looked_at = -LOOK_EVERY_S
        self._down_since: dict[str, float] = {}
        self._looking: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Raises Unavailable where a stage has been down for a while."""
        now = self._clock()
        idle = self._looking is None or self._looking.done()
        if idle and now - self._looked_at >= LOOK_EVERY_S:
            self._looking = asyncio.create_task(self._look_until_all_are_up())
        down = [s for s, since in self._down_since.items() if now - since >= PATIENCE_S]
        if down:
            raise Unavailable(
                f"No replica of {' and '.join(sorted(down))} is up; try again later.",
                _RETRY_AFTER_S,
            )

    async def _look_until_all_are_up(self) -> None:
        await self._look()
        while self._down_since:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        self._looked_at = now = self._clock()
        try:
            stages = await self._readiness.stages()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may know more
            log.warning("Which stages are up cannot be told: %s", error)
            return
        self._down_since = {
            stage: self._down_since.get(stage, now) for stage, up in stages.items() if not up
        }
