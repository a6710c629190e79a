"""When to look into the store again."""

import asyncio
import random
from contextlib import suppress

_SELDOMEST = 10
_LATE_S = 0.01  # the database keeps milliseconds: what is due would not be so yet


class Polling:
    """Calls a loop that empties the store to its next look.

    It rings for what this service puts there. What comes otherwise (by another service, from
    one that died) is found by looking: after `poll_s` seconds, and after twice as many with
    each look in vain, up to ten times `poll_s`. Looking alike at all times would keep an idle
    service's cores from sleeping, and take them from recognition.
    """

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._patience = 1.0
        self._rung = asyncio.Event()

    def wake(self, in_s: float = 0.0) -> None:
        """Look at once, or in `in_s` seconds."""
        if in_s > 0:
            asyncio.get_running_loop().call_later(in_s + _LATE_S, self.wake)
            return
        self.found()
        self._rung.set()

    def found(self) -> None:
        """A look was not in vain: where one thing was, more may follow."""
        self._patience = 1.0

    def about_to_look(self) -> None:
        """What rings from now on may be missed by the look, so that another has to follow."""
        self._rung.clear()

    async def wait(self) -> None:
        """After a look in vain: until the next one."""
        # Those who started together should not ask together.
        seconds = self._poll_s * self._patience * random.uniform(1, 1.25)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
            return
        self._patience = min(2 * self._patience, _SELDOMEST)
