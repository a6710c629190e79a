"""What crosses between Serve's proxy and the app beside requests and their answers.

Serve's proxy hands on a body as fast as it comes, whatever became of the request. So the app says
how far it has read, and that it let the request in, and the proxy keeps back what is not asked for:
a recording that is refused stays where it was, and one that comes faster than it is stored waits at
its client. Both sides are here; the proxy's is used in `gate/proxy.py`, and where nothing stands
around the proxy, nothing of this is said.
"""

import asyncio
import math

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interchange import measures

EXTENSION = "rayscribe.crossing"
"""In a request's `extensions`: the proxy understands READS. Its value has how many requests of each
surface the proxy refused by itself since it last told."""

READS = "rayscribe.reads"
"""The app's message: `bytes` of the body were read, and more is wanted; `admitted` says whether the
request was let in."""

FIRST_BYTES = 64 * 2**10
"""What is handed on before the app has said anything: whether there is room, it decides when it
sees how a recording begins."""

AHEAD_BYTES = 4 * 2**20
"""How much may be on its way afterwards, which is what a round takes at 400 MB/s."""

SAYS_S = 2.0
"""An app that said nothing for so long does not know that it should: it gets all there is."""

_READER = "rayscribe.reader"


class PacedBody:
    """A body on the proxy's side. Whoever calls `receive` again and again gets no further ahead of
    the app than it may."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._first: Message | None = None
        self._handed = 0
        self._read = 0
        self._heard = False
        self._ahead: float = FIRST_BYTES
        self._moved = asyncio.Event()

    async def begin(self, within_s: float) -> None:
        """Wait for its beginning, and no longer than so many seconds."""
        try:
            async with asyncio.timeout(within_s):
                self._first = await self._receive()
        except TimeoutError:
            pass

    async def receive(self) -> Message:
        message, self._first = self._first, None
        if message is None:
            while self._handed - self._read >= self._ahead:
                await self._word()
            message = await self._receive()
        self._handed += len(message.get("body", b""))
        if not message.get("more_body", False):
            self.let_go()
        return message

    async def _word(self) -> None:
        self._moved.clear()
        try:
            async with asyncio.timeout(None if self._heard else SAYS_S):
                await self._moved.wait()
        except TimeoutError:
            self.let_go()

    def reads(self, message: Message) -> None:
        """What the app said."""
        self._heard = True
        self._read = message["bytes"]
        if message["admitted"] or self._read >= FIRST_BYTES:
            self._ahead = max(self._ahead, AHEAD_BYTES)
        self._moved.set()

    def let_go(self) -> None:
        """Hold nothing back any more: there is an answer, or the body's end."""
        self._ahead = math.inf
        self._moved.set()


class Crossing:
    """The app's side. It counts as its own what the proxy has refused, too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = (scope.get("extensions") or {}).get(EXTENSION)
        if scope["type"] != "http" or refused is None:
            await self.app(scope, receive, send)
            return
        for surface, number in refused.items():
            measures.REQUESTS.record(number, surface=surface, status="429")
        reader = scope[_READER] = _Reader(receive, send)
        await self.app(scope, reader.receive, send)


class _Reader:
    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._read = 0
        self._told = 0
        self._admitted = False
        self._ended = False
        self._telling: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        far = self._admitted or self._told >= FIRST_BYTES
        if not self._ended and self._read - self._told >= (AHEAD_BYTES // 2 if far else 1):
            await self._tell()
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message

    def admitted(self) -> None:
        if not self._admitted:
            self._admitted = True
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        self._told = self._read
        await self._send({"type": READS, "bytes": self._read, "admitted": self._admitted})


def admitted(scope: Scope) -> None:
    """Tell the proxy that this request was let in."""
    reader: _Reader | None = scope.get(_READER)
    if reader is not None:
        reader.admitted()
