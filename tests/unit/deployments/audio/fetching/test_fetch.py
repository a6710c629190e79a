import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from configs.settings import FetchSettings
from deployments.audio.fetching.fetch import fetch
from deployments.audio.fetching.spool import Spool
from interchange.errors import (
    AddressRefused,
    InvalidSource,
    RecordingTooLarge,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
    TooManyRedirects,
)
from interchange.network import AddressGuard

SETTINGS = FetchSettings(
    max_bytes=1000,
    max_redirects=2,
    connect_timeout_s=5,
    read_timeout_s=0.3,
    total_timeout_s=5,
    min_bytes_per_s=0,
)
LOOPBACK = AddressGuard([ip_network("127.0.0.0/8")])


async def whole(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 900, content_type="audio/wav")


async def chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    for _ in range(int(request.query["count"])):
        await response.write(b"x" * 100)
    return response


async def truncated(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "900"})
    await response.prepare(request)
    await response.write(b"x" * 100)
    assert request.transport is not None
    request.transport.close()
    return response


async def stalled(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "900"})
    await response.prepare(request)
    await response.write(b"x")
    await asyncio.sleep(2)
    return response


async def trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "900"})
    await response.prepare(request)
    for _ in range(900):
        await response.write(b"x")
        await asyncio.sleep(0.1)
    return response


async def slow_headers(request: web.Request) -> web.StreamResponse:
    """An answer whose headers come one by one, and have no end."""
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        request.transport.write(b"X-%d: 1\r\n" % number)
        await asyncio.sleep(0.05)
    return web.Response()


async def bomb(request: web.Request) -> web.Response:
    headers = {"Content-Encoding": "gzip"}
    return web.Response(body=gzip.compress(b"x" * 100_000), headers=headers)


async def redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.query["to"]})


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["status"]))


async def slow_redirect(request: web.Request) -> web.Response:
    await asyncio.sleep(0.2)
    return await redirect(request)


async def headers(request: web.Request) -> web.Response:
    return web.json_response(dict(request.headers))


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    for handler in (
        whole,
        chunked,
        truncated,
        stalled,
        trickle,
        slow_headers,
        bomb,
        redirect,
        slow_redirect,
        headers,
    ):
        app.router.add_get(f"/{handler.__name__}", handler)
    app.router.add_get("/status/{status}", status)
    running = TestServer(app, host="127.0.0.1")
    async with running:
        yield running


@pytest.fixture
def spool() -> Iterator[Spool]:
    with closing(Spool()) as made:
        yield made


async def get(
    url: object, spool: Spool, settings: FetchSettings = SETTINGS, guard: AddressGuard = LOOPBACK
) -> bytes:
    await fetch(str(url), spool, settings, guard)
    return spool.read_at(0, 10**6)


async def test_a_recording_is_spooled_with_its_size_and_type(
    server: TestServer, spool: Spool
) -> None:
    assert await get(server.make_url("/whole"), spool) == b"x" * 900
    assert (spool.complete, spool.expected, spool.media_type) == (True, 900, "audio/wav")


async def test_no_size_needs_to_be_announced(server: TestServer, spool: Spool) -> None:
    assert await get(server.make_url("/chunked?count=10"), spool) == b"x" * 1000
    assert spool.expected is None


async def test_redirects_are_followed_to_a_limit(server: TestServer, spool: Spool) -> None:
    once = server.make_url("/redirect").with_query(to="/whole")
    twice = server.make_url("/redirect").with_query(to=str(once))
    thrice = server.make_url("/redirect").with_query(to=str(twice))
    assert len(await get(twice, spool)) == 900
    with pytest.raises(TooManyRedirects, match="more than 2 times"):
        await get(thrice, spool)


async def test_a_loop_of_redirects_ends(server: TestServer, spool: Spool) -> None:
    url = server.make_url("/redirect").with_query(to="/redirect?to=/redirect")
    with pytest.raises(TooManyRedirects):
        await get(url.with_query(to=str(url)), spool)


async def test_a_redirect_cannot_lead_to_a_refused_address(
    server: TestServer, spool: Spool
) -> None:
    only_this = AddressGuard([ip_network("127.0.0.1/32")])
    elsewhere = f"http://127.0.0.2:{server.port}/whole"
    url = server.make_url("/redirect").with_query(to=elsewhere)
    assert len(await get(server.make_url("/whole"), spool, guard=only_this)) == 900
    with pytest.raises(AddressRefused):
        await get(url, spool, guard=only_this)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://host/a", "gopher://host", "data:,x"])
async def test_a_redirect_cannot_leave_http(server: TestServer, spool: Spool, to: str) -> None:
    with pytest.raises(InvalidSource, match="only http"):
        await get(server.make_url("/redirect").with_query(to=to), spool)


async def test_private_addresses_are_refused_unless_allowed(
    server: TestServer, spool: Spool
) -> None:
    with pytest.raises(AddressRefused, match="RAYSCRIBE_ALLOWED_NETWORKS"):
        await get(server.make_url("/whole"), spool, guard=AddressGuard())


@pytest.mark.parametrize(
    "url", ["", "http://", "http:///path", "https://[broken/", "file:///etc/passwd", "//host/a"]
)
async def test_what_is_no_http_url_is_refused(spool: Spool, url: str) -> None:
    with pytest.raises(InvalidSource):
        await get(url, spool)


@pytest.mark.parametrize("code", [403, 404, 410, 500, 503, 304])
async def test_a_refusal_says_what_the_server_answered(
    server: TestServer, spool: Spool, code: int
) -> None:
    with pytest.raises(SourceRefused, match=str(code)):
        await get(server.make_url(f"/status/{code}"), spool)


async def test_an_announced_size_beyond_the_limit_is_refused_at_once(
    server: TestServer, spool: Spool
) -> None:
    with pytest.raises(RecordingTooLarge, match="899 bytes"):
        await get(server.make_url("/whole"), spool, SETTINGS.model_copy(update={"max_bytes": 899}))
    assert spool.written == 0


@pytest.mark.parametrize("path", ["/chunked?count=11", "/bomb"])
async def test_a_size_that_was_not_announced_is_counted(
    server: TestServer, spool: Spool, path: str
) -> None:
    with pytest.raises(RecordingTooLarge):
        await get(
            server.make_url("") / path[1:] if "?" not in path else server.make_url(path), spool
        )
    assert spool.written <= SETTINGS.max_bytes


async def test_a_silent_server_is_given_up(server: TestServer, spool: Spool) -> None:
    with pytest.raises(SourceTimeout, match=r"nothing for 0\.3 s"):
        await get(server.make_url("/stalled"), spool)


async def test_a_slow_server_is_given_up(server: TestServer, spool: Spool) -> None:
    settings = SETTINGS.model_copy(update={"total_timeout_s": 0.5})
    with pytest.raises(SourceTimeout, match=r"longer than 0\.5 s"):
        await get(server.make_url("/trickle"), spool, settings)


async def test_a_transfer_has_a_slowest_rate(server: TestServer, spool: Spool) -> None:
    settings = SETTINGS.model_copy(update={"min_bytes_per_s": 100})
    with pytest.raises(SourceTimeout, match=r"less than 100 bytes a second for 0\.6 s"):
        await get(server.make_url("/trickle"), spool, settings)
    with closing(Spool()) as another:
        assert len(await get(server.make_url("/chunked?count=10"), another, settings)) == 1000


async def test_headers_that_have_no_end_are_given_up(server: TestServer, spool: Spool) -> None:
    settings = SETTINGS.model_copy(update={"headers_timeout_s": 0.4})
    with pytest.raises(SourceTimeout, match=r"answer header within 0\.4 s"):
        await get(server.make_url("/slow_headers"), spool, settings)


async def test_nothing_of_ours_goes_along(
    server: TestServer, spool: Spool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("ADMIN_KEY", "hunter2")
    sent = json.loads(await get(server.make_url("/headers"), spool))
    assert set(sent) <= {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}
    assert "hunter2" not in str(sent)


async def test_a_transfer_that_breaks_off_is_an_error(server: TestServer, spool: Spool) -> None:
    with pytest.raises(SourceUnreachable, match="broke off"):
        await get(server.make_url("/truncated"), spool)
    assert not spool.complete


async def test_a_name_without_an_address(spool: Spool) -> None:
    with pytest.raises(SourceUnreachable, match="does not resolve"):
        await get("http://no-such-host.invalid/a.wav", spool)


async def test_nobody_listens(server: TestServer, spool: Spool) -> None:
    port = server.port
    await server.close()
    with pytest.raises(SourceUnreachable, match="No connection"):
        await get(f"http://127.0.0.1:{port}/", spool)


async def test_errors_do_not_show_secrets(server: TestServer, spool: Spool) -> None:
    url = server.make_url("/status/404").with_user("me").with_password("hunter2")
    with pytest.raises(SourceRefused) as caught:
        await get(url.with_query(signature="s3cret"), spool)
    assert "hunter2" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_proxies_play_no_part(
    server: TestServer, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert b"Rayscribe" in await get(server.make_url("/headers"), spool)


async def test_the_whole_time_is_limited_whatever_the_hops(
    server: TestServer, spool: Spool
) -> None:
    url = server.make_url("/slow_redirect").with_query(to="/slow_redirect?to=/slow_redirect")
    settings = SETTINGS.model_copy(update={"total_timeout_s": 0.5, "max_redirects": 20})
    with pytest.raises(SourceTimeout, match=r"longer than 0\.5 s"):
        await get(url.with_query(to=str(url)), spool, settings)
