"""A WebSocket's messages on their way to the process that answers it, several at once.

Each time something came, that process asks Serve's proxy for more, and both have more to do for
the asking than for a frame of audio. Frames come 20 times a second whether somebody speaks or not.
So they wait for each other where the client has been told nothing for a while, and nobody waits for
an answer; and elsewhere the longer, the more sockets there are.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.types import Message, Receive, Send

APART_S = 0.2
"""Between two bursts where nobody waits for an answer."""

EACH_S = 0.1
"""Between two bursts, for each other socket that is open."""

MOST_S = 0.4
"""Between two bursts, however many are open."""

SILENT_S = 3.0
"""Whoever was told something since then is answered as soon as can be."""

_SHORT = 256
"""Characters or bytes; what is shorter is no audio but a wish, which waits for nothing."""


class Bursts:
    """The `receive` and `send` of one socket; `close` it when it is served. `sockets` says how many
    are open."""

    def __init__(
        self, receive: Receive, send: Send, sockets: Callable[[], int] = lambda: 1
    ) -> None:
        self._sockets = sockets
        self._receive = receive
        self._send = send
        self._now = asyncio.get_running_loop().time
        self._ready: deque[Message] = deque()
        self._coming: asyncio.Task[Message] | None = None
        self._told = self._last = self._now()

    async def send(self, message: Message) -> None:
        self._told = self._now()
        await self._send(message)

    async def receive(self) -> Message:
        """The next message. Those of a burst come without a step of the event loop between them, so
        that whoever queues them has all when the other side looks."""
        if not self._ready:
            await self._gather()
        return self._ready.popleft()

    def close(self) -> None:
        if self._coming is not None:
            self._coming.cancel()

    async def _gather(self) -> None:
        self._ready.append(await self._next())
        silent = self._now() - self._told >= SILENT_S
        crowd = min(EACH_S * (self._sockets() - 1), MOST_S)
        until = self._last + max(crowd, APART_S if silent else 0.0)
        while _waits(self._ready[-1]) and (left := until - self._now()) > 0:
            if self._coming is None:
                self._coming = asyncio.ensure_future(self._receive())
            if not (await asyncio.wait({self._coming}, timeout=left))[0]:
                break
            self._ready.append(await self._next())
        self._last = self._now()

    async def _next(self) -> Message:
        if self._coming is None:
            return await self._receive()
        # It was begun in vain before; whoever stops waiting here has not lost it.
        message = await asyncio.shield(self._coming)
        self._coming = None
        return message


def _waits(message: Message) -> bool:
    content = message.get("text") or message.get("bytes") or ""
    return message["type"] == "websocket.receive" and len(content) >= _SHORT
