"""Web servers on loopback that recordings are fetched from: one that works, and odd ones."""

import asyncio
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from interchange.stages import SAMPLE_RATE

_WAV_HEADER = struct.pack(
    "<4sI4s4sIHHIIHH4sI",
    *(b"RIFF", 2**32 - 1, b"WAVE", b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16),
    *(b"data", 2**32 - 1),
)
"""16 kHz mono, of a length that is not known yet."""


class RemoteServer:
    """Serves files below any of `folders`, counts what was asked for, and misbehaves on
    request: `/status/N`, `/redirect/loop`, `/redirect?to=URL`, `/slow`, `/drip`, `/trickle`,
    `/endless`, `/page`. `left` has when clients closed a `/trickle`, by the monotonic clock."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self.requests: list[str] = []
        self.left: list[float] = []
        self.url = ""
        self.app = web.Application(middlewares=[self._count])
        self.app.router.add_get("/status/{status}", self._status)
        self.app.router.add_get("/redirect/loop", self._loop)
        self.app.router.add_get("/redirect", self._redirect)
        self.app.router.add_get("/slow", self._slow)
        self.app.router.add_get("/drip", self._drip)
        self.app.router.add_get("/trickle", self._trickle)
        self.app.router.add_get("/endless", self._endless)
        self.app.router.add_get("/page", self._page)
        self.app.router.add_get("/files/{number}/{path:.*}", self._file)

    def file(self, path: Path) -> str:
        """The URL of a file below one of the folders."""
        for number, folder in enumerate(self._folders):
            if path.is_relative_to(folder):
                return f"{self.url}/files/{number}/{path.relative_to(folder)}"
        raise ValueError(f"{path} is below none of the folders served")

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(request.path)
        return await handler(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        folder = self._folders[int(request.match_info["number"])]
        return web.FileResponse(folder / request.match_info["path"])

    async def _status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    async def _loop(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/redirect/loop")

    async def _redirect(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000000"})
        await response.prepare(request)
        await response.write(b"RIFF")
        await asyncio.sleep(60)
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        """A byte in four seconds."""
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            for byte in _WAV_HEADER:
                await response.write(bytes([byte]))
                await asyncio.sleep(4)
        return response

    async def _trickle(self, request: web.Request) -> web.StreamResponse:
        """Silence as a WAV file that arrives as fast as it plays, for a minute."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(_WAV_HEADER)
        try:
            for _ in range(600):
                await response.write(bytes(2 * SAMPLE_RATE // 10))
                await asyncio.sleep(0.1)
        except ConnectionError:
            self.left.append(time.monotonic())
        return response

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b"\0" * 65536)
        return response

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text="<html>Not audio.</html>", content_type="text/html")


@contextmanager
def remote_server(*folders: Path) -> Iterator[RemoteServer]:
    """Run a RemoteServer on a free port of 127.0.0.1, in a thread."""
    server = RemoteServer(list(folders))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="remote-server")
    thread.start()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(server.app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
