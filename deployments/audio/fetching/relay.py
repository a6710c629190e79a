"""Passing bytes of a recording on from the server it lies on: nothing is kept here."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable

import aiohttp

from configs.settings import Settings
from deployments.audio.fetching.fetch import opened, receive, too_large
from interchange.errors import QueueFull, SourceRefused
from interchange.network import AddressGuard, printable
from interchange.stages import RemoteFile, UrlSource

_MOST = 16
"""Pieces on their way at once. They take calls of the replica, which loads need too."""

_PLAYABLE = re.compile(r"(audio|video)/[\w.+-]+", re.ASCII)
_PART = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII)
_BEYOND = re.compile(r"bytes \*/(\d+)", re.ASCII)

Take = Callable[[RemoteFile | bytes], None]


class Relay:
    """Passes pieces of recordings on, each by a connection of its own, under `fetch`'s limits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.fetch
        self._guard = AddressGuard(settings.allowed_networks, settings.refused_networks)
        self._under_way = 0

    async def relay(
        self, source: UrlSource, start: int, most: int
    ) -> AsyncGenerator[RemoteFile | bytes, None]:
        """See `interchange.stages.RecordingRelay`. What its caller has not taken yet, at most
        `most` bytes, waits here."""
        if self._under_way >= _MOST:
            raise QueueFull("Too many recordings are passed on from their servers; try again.", 2)
        events: asyncio.Queue[RemoteFile | bytes | None] = asyncio.Queue()
        # A task of its own: what bounds the transfer's time may not count its caller's.
        work = asyncio.create_task(self._pass_on(source.url, start, most, events.put_nowait))
        work.add_done_callback(lambda _: events.put_nowait(None))
        self._under_way += 1
        try:
            while (event := await events.get()) is not None:
                yield event
            await work
        finally:
            self._under_way -= 1
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _pass_on(self, url: str, start: int, most: int, give: Take) -> None:
        part = f"bytes={start}-{start + most - 1}"
        async with opened(url, self._settings, self._guard, part) as response:
            file = _described(response, url, start)
            if (file.size or 0) > self._settings.max_bytes:
                raise too_large(self._settings)
            give(file)
            if file.size is not None and start >= file.size:
                return
            at, end = start if file.ranged else 0, start + most

            def take(chunk: bytes) -> bool:
                nonlocal at
                wanted = chunk[max(0, start - at) : end - at]
                at += len(chunk)
                if wanted:
                    give(wanted)
                return at >= end

            await receive(response, url, self._settings, take)


def _described(response: aiohttp.ClientResponse, url: str, start: int) -> RemoteFile:
    """Raises SourceRefused for a part that is not the one that was asked for."""
    kind = response.content_type if _PLAYABLE.fullmatch(response.content_type) else ""
    said = response.headers.get("Content-Range", "")
    compressed = response.headers.get("Content-Encoding", "identity") != "identity"
    if response.status not in (206, 416):
        return RemoteFile(kind, None if compressed else response.content_length, ranged=False)
    if found := _BEYOND.fullmatch(said):
        return RemoteFile(kind, int(found[1]), ranged=True)
    found = _PART.fullmatch(said)
    if found is None or int(found[1]) != start or compressed:
        raise SourceRefused(
            f"The server of {printable(url)} was asked for a part of the recording and answered "
            "with another, or with none that can be used."
        )
    return RemoteFile(kind, None if found[2] == "*" else int(found[2]), ranged=True)
