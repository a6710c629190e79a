"""What is passed on of a recording on a server elsewhere: ranges, or all that lies before them."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from configs.settings import FetchSettings, Settings
from deployments.audio.fetching.relay import Relay
from interchange.errors import (
    AddressRefused,
    QueueFull,
    RecordingTooLarge,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
)
from interchange.stages import RemoteFile, UrlSource

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def part_of(request: web.Request) -> slice:
    return request.http_range


async def ranged(request: web.Request) -> web.Response:
    part = part_of(request)
    if part.start is not None and part.start >= SIZE:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{SIZE}"})
    body = CONTENT[part]
    said = f"bytes {part.start}-{part.start + len(body) - 1}/{SIZE}"
    return web.Response(
        status=206, body=body, content_type="audio/mpeg", headers={"Content-Range": said}
    )


async def whole(request: web.Request) -> web.Response:
    return web.Response(body=CONTENT, content_type="video/mp4")


async def chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "audio/ogg; codecs=opus"})
    await response.prepare(request)
    await response.write(CONTENT)
    return response


async def zipped(request: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"})


async def another_part(request: web.Request) -> web.Response:
    said = f"bytes 0-9/{SIZE}"
    return web.Response(status=206, body=CONTENT[:10], headers={"Content-Range": said})


async def zipped_part(request: web.Request) -> web.Response:
    answer = await ranged(request)
    answer.headers["Content-Encoding"] = "gzip"
    return answer


async def no_part(request: web.Request) -> web.Response:
    return web.Response(status=206, body=CONTENT)


async def refused(request: web.Request) -> web.Response:
    return web.Response(status=416)


async def unknown_size(request: web.Request) -> web.Response:
    answer = await ranged(request)
    answer.headers["Content-Range"] = answer.headers["Content-Range"].replace(f"{SIZE}", "*")
    return answer


async def cut_off(request: web.Request) -> web.StreamResponse:
    said = f"bytes 0-{SIZE - 1}/{SIZE}"
    head = {"Content-Length": str(SIZE), "Content-Range": said}
    response = web.StreamResponse(status=206, headers=head)
    await response.prepare(request)
    await response.write(CONTENT[:100])
    assert request.transport is not None
    request.transport.close()
    return response


async def stalled(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(SIZE)})
    await response.prepare(request)
    await response.write(CONTENT[:100])
    await asyncio.sleep(2)
    return response


async def redirect(request: web.Request) -> web.Response:
    headers = {"Location": request.query["to"], "Set-Cookie": "seen=1; Path=/"}
    return web.Response(status=302, headers=headers)


async def for_guests(request: web.Request) -> web.StreamResponse:
    """Gives it to who brings the cookie that was set on the way."""
    return await ranged(request) if "seen" in request.cookies else web.Response(status=403)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    handlers: tuple[Answer, ...] = (
        *(ranged, whole, chunked, zipped, another_part, zipped_part, no_part, unknown_size),
        *(cut_off, stalled, redirect, for_guests, refused),
    )
    for handler in handlers:
        app.router.add_get(f"/{getattr(handler, '__name__', '')}", handler)
    running = TestServer(app, host="127.0.0.1")
    async with running:
        yield running


def relay(network: str = "127.0.0.0/8", **limits: float) -> Relay:
    fetch = FetchSettings.model_validate({"read_timeout_s": 0.5, "max_redirects": 2} | limits)
    return Relay(Settings(allowed_networks=(ip_network(network),), fetch=fetch))


async def piece(
    url: object, start: int = 0, most: int = 10**7, by: Relay | None = None
) -> tuple[RemoteFile, bytes]:
    described, *chunks = [
        each async for each in (by or relay()).relay(UrlSource(str(url)), start, most)
    ]
    assert isinstance(described, RemoteFile)
    return described, b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))


PARTS = [(0, 10**7), (0, 1), (1000, 500_000), (SIZE - 5, 5), (SIZE - 5, 100), (SIZE, 1)]


@pytest.mark.parametrize(("start", "most"), PARTS)
async def test_a_server_is_asked_for_the_part(server: TestServer, start: int, most: int) -> None:
    file, content = await piece(server.make_url("/ranged"), start, most)
    kind = "audio/mpeg" if start < SIZE else ""
    assert file == RemoteFile(kind, SIZE, ranged=True)
    assert content == CONTENT[start : start + most]


@pytest.mark.parametrize(("start", "most"), PARTS)
@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/whole", RemoteFile("video/mp4", SIZE, ranged=False)),
        ("/chunked", RemoteFile("audio/ogg", None, ranged=False)),
        ("/zipped", RemoteFile("", None, ranged=False)),
    ],
)
async def test_of_a_server_without_ranges_the_part_is_cut_out(
    server: TestServer, path: str, file: RemoteFile, start: int, most: int
) -> None:
    found = await piece(server.make_url(path), start, most)
    assert found == (file, CONTENT[start : start + most])


async def test_a_part_of_an_unknown_whole(server: TestServer) -> None:
    found = await piece(server.make_url("/unknown_size"), 10, 20)
    assert found == (RemoteFile("audio/mpeg", None, ranged=True), CONTENT[10:30])


@pytest.mark.parametrize("path", ["/another_part", "/zipped_part", "/no_part"])
async def test_another_part_is_not_passed_on(server: TestServer, path: str) -> None:
    with pytest.raises(SourceRefused, match="answered with another"):
        await piece(server.make_url(path), 5, 10)


async def test_a_416_that_says_nothing_is_a_refusal(server: TestServer) -> None:
    with pytest.raises(SourceRefused):
        await piece(server.make_url("/refused"))


async def test_a_redirect_keeps_the_range_and_its_cookies(server: TestServer) -> None:
    url = server.make_url("/redirect").with_query(to="/for_guests")
    assert (await piece(url, 100, 50))[1] == CONTENT[100:150]


async def test_the_guard_looks_at_every_hop(server: TestServer) -> None:
    with pytest.raises(AddressRefused):
        await piece(server.make_url("/ranged"), by=relay("10.0.0.0/8"))
    elsewhere = f"http://127.0.0.2:{server.port}/ranged"
    with pytest.raises(AddressRefused):
        await piece(server.make_url("/redirect").with_query(to=elsewhere), by=relay("127.0.0.1/32"))


async def test_limits_hold(server: TestServer) -> None:
    with pytest.raises(SourceTimeout, match=r"nothing for 0\.5 s"):
        await piece(server.make_url("/stalled"))
    small = relay(max_bytes=SIZE - 1)
    for path in ("/ranged", "/whole", "/chunked"):
        with pytest.raises(RecordingTooLarge):
            await piece(server.make_url(path), by=small)


async def test_what_breaks_off_is_an_error(server: TestServer) -> None:
    pieces = relay().relay(UrlSource(str(server.make_url("/cut_off"))), 0, SIZE)
    assert await anext(pieces) == RemoteFile("", SIZE, ranged=True)
    assert await anext(pieces) == CONTENT[:100]
    with pytest.raises(SourceUnreachable, match="broke off"):
        await anext(pieces)


async def test_closing_ends_the_transfer_and_leaves_its_place(server: TestServer) -> None:
    source = UrlSource(str(server.make_url("/stalled")))
    full = relay(read_timeout_s=60)
    pieces = [full.relay(source, 0, SIZE) for _ in range(16)]
    for each in pieces:
        await anext(each)
    with pytest.raises(QueueFull):
        await anext(full.relay(source, 0, SIZE))
    for each in pieces:
        await each.aclose()
    async with aclosing(full.relay(source, 0, SIZE)) as again:
        assert isinstance(await anext(again), RemoteFile)
