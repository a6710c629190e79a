"""The recording of a job that came by URL, passed on from there to who plays it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import anyio
from starlette.responses import Response, StreamingResponse

from interchange.errors import QueueFull, SourceUnreachable
from interchange.network import printable
from interchange.stages import RecordingRelay, RemoteFile, UrlSource
from serve_app.http.jobs.ranges import (
    OPEN_BYTES,
    asked_range,
    behind_the_end,
    headers,
    media_type,
    named_bytes,
)

_PIECE = OPEN_BYTES // 2
_LARGEST = 64 * 2**20


class RemotePieces:
    """A remote recording, of which a piece is fetched when the one before was taken: nothing at the
    loader waits for who takes it."""

    def __init__(self, relay: RecordingRelay, source: UrlSource) -> None:
        self._relay = relay
        self._source = source
        self._most = 0
        self._piece: AsyncGenerator[RemoteFile | bytes, None] | None = None
        self._file: RemoteFile | None = None

    async def open(self, start: int, most: int = _PIECE) -> RemoteFile:
        """Begin to fetch the piece from `start` on, for `read`. Raises what the relay raises."""
        await self.aclose()
        self._most = most
        self._piece = self._relay.relay(self._source, start, most)
        file = await anext(self._piece)
        assert isinstance(file, RemoteFile)
        known = file.size if self._file is None else self._file.size
        if None not in (known, file.size) and file.size != known:
            raise self._broken("has another recording there now")
        self._file = file
        return file

    async def read(self, start: int, end: int | None) -> AsyncIterator[bytes]:
        """The bytes from `start`, where `open` began, to `end`, or to what turns out to be it."""
        while end is None or start < end:
            assert self._piece is not None
            taken = 0
            async for chunk in self._piece:
                assert isinstance(chunk, bytes)
                yield chunk if end is None else chunk[: max(0, end - start - taken)]
                taken += len(chunk)
            start += taken
            if end is None and taken < self._most:
                return
            if end is not None and not taken:
                raise self._broken("ended it early")
            if end is None or start < end:
                await self._open_next(start, end)

    async def _open_next(self, start: int, end: int | None) -> None:
        assert self._file is not None
        most = _at_once(self._file, start, _PIECE)
        while True:
            try:
                await self.open(start, most if end is None else min(most, end - start))
            except QueueFull as full:
                await asyncio.sleep(full.retry_after)
            else:
                return

    def _broken(self, what: str) -> SourceUnreachable:
        return SourceUnreachable(
            f"The server of {printable(self._source.url)} {what} while it was passed on."
        )

    async def aclose(self) -> None:
        """Stop the transfer."""
        if self._piece is not None:
            with anyio.CancelScope(shield=True):
                await self._piece.aclose()


def _at_once(file: RemoteFile, start: int, least: int = OPEN_BYTES) -> int:
    """How many bytes to fetch from `start` on. Without ranges all before them is fetched again: by
    pieces as large as that, twice the recording is fetched in all."""
    return least if file.ranged else min(_LARGEST, max(least, start))


async def remote_answer(pieces: RemotePieces, name: str, wanted: str | None) -> Response:
    """The whole recording, or what `wanted`, the header Range, asks for.

    A server that gives no ranges is asked for all that lies before one; where it does not say how
    much it has, the answer is the whole recording. Raises what the relay raises.
    """
    first, last = named_bytes(wanted)
    began = first or 0
    bound = _PIECE if first is None or last is None else last + 1 - first
    file = await pieces.open(began, min(_PIECE, bound))
    part = None
    if file.size is not None:
        try:
            part = asked_range(wanted, file.size, most=_at_once(file, began))
        except ValueError:
            return Response(status_code=416, headers=behind_the_end(file.size))
    start, end = part or (0, file.size)
    if start != began:
        await pieces.open(start)
    return StreamingResponse(
        pieces.read(start, end),
        206 if part else 200,
        headers(file.size, part),
        file.media_type or media_type(name),
    )
