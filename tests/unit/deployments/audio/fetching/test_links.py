"""Links as people have them, against a real server."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

from configs.settings import FetchSettings
from deployments.audio.fetching.fetch import fetch
from deployments.audio.fetching.spool import Spool
from deployments.audio.fetching.urls import Target
from interchange.errors import (
    InvalidSource,
    SourceUnreachable,
    TooManyRedirects,
)
from interchange.network import AddressGuard

LOOPBACK = AddressGuard([ip_network("127.0.0.0/8")])


@dataclass
class Asked:
    """One request as it arrived."""

    target: str
    headers: CIMultiDict[str]


@dataclass
class Remote:
    """A server that gives the answers it was told, in order, and then a recording."""

    answers: list[web.StreamResponse] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    origin: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked(request.raw_path, CIMultiDict(request.headers)))
        return self.answers.pop(0) if self.answers else web.Response(body=b"recording")

    def redirects(self, *locations: str, **headers: str) -> None:
        self.answers += [
            web.Response(status=302, headers={"Location": location, **headers})
            for location in locations
        ]


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[Remote]:
    remote = Remote()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", remote.answer)
    server = TestServer(app, host=host)
    await server.start_server(max_line_size=2**17)
    remote.origin = f"http://{host}:{server.port}"
    try:
        yield remote
    finally:
        await server.close()


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    async with serving() as running:
        yield running


@pytest.fixture
async def other() -> AsyncIterator[Remote]:
    """Of another origin: the same host by another port."""
    async with serving() as running:
        yield running


@pytest.fixture
def spool() -> Iterator[Spool]:
    with closing(Spool()) as made:
        yield made


async def get(url: str, spool: Spool, **settings: Any) -> bytes:
    await fetch(url, spool, FetchSettings(**settings), LOOPBACK)
    return spool.read_at(0, 10**6)


# ------------------------------------------------------------------------------ redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_twenty_redirects_of_any_kind(remote: Remote, spool: Spool, status: int) -> None:
    remote.answers = [
        web.Response(status=status, headers={"Location": f"/hop/{i}"}) for i in range(20)
    ]
    assert await get(f"{remote.origin}/start", spool) == b"recording"
    assert [asked.target for asked in remote.asked] == [
        "/start", *(f"/hop/{i}" for i in range(20))
    ]  # fmt: skip


async def test_not_twenty_one(remote: Remote, spool: Spool) -> None:
    remote.redirects(*(f"/{i}" for i in range(21)))
    with pytest.raises(TooManyRedirects, match="more than 20 times"):
        await get(remote.origin, spool)


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/b", "/b"),
        ("b", "/dir/b"),
        ("?x=1", "/dir/a?x=1"),
        ("../c", "/c"),
        ("{origin}/d?e=%2F", "/d?e=%2F"),
        ("//{host}/f", "/f"),
        ("/g#fragment", "/g"),
        ("/with space", "/with%20space"),
        ("  /trimmed ", "/trimmed"),
    ],
)
async def test_where_a_location_leads(
    remote: Remote, spool: Spool, location: str, asked: str
) -> None:
    host = remote.origin.removeprefix("http://")
    remote.redirects(location.format(origin=remote.origin, host=host))
    await get(f"{remote.origin}/dir/a", spool)
    assert remote.asked[-1].target == asked


@pytest.mark.parametrize(
    ("raw", "asked"),
    [
        ("/fähre".encode(), "/f%C3%A4hre"),
        ("/fähre".encode("latin-1"), "/f%E4hre"),
        ("/日本?語=é".encode(), "/%E6%97%A5%E6%9C%AC?%E8%AA%9E=%C3%A9"),
        (b"/\xff\xfe%20x", "/%FF%FE%20x"),
    ],
)
async def test_bytes_in_a_location_that_are_not_ascii(
    remote: Remote, spool: Spool, raw: bytes, asked: str
) -> None:
    """They go on as the bytes they were, whatever they were meant to be."""
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + remote.origin.encode() + raw + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await get(f"http://127.0.0.1:{port}/dir/a", spool)
    assert remote.asked[-1].target == asked


@pytest.mark.parametrize(
    "location",
    ["http://ex..ample.com/", "http://" + "a" * 64 + ".com/", "http://[::1/", "http://h:99999/",
     "ftp://h/x", "file:///etc/passwd", "http://\udcff.com/"],
)  # fmt: skip
async def test_a_location_that_leads_nowhere(remote: Remote, spool: Spool, location: str) -> None:
    remote.redirects(location)
    with pytest.raises(InvalidSource, match=r"[a-z ]+.*\.$"):
        await get(remote.origin, spool)


# -------------------------------------------------------------------------------- headers


@pytest.mark.parametrize("size", [9_000, 33_000, 65_000])
async def test_long_headers(remote: Remote, spool: Spool, size: int) -> None:
    """Of policies, cookies and places: more than the 8 kB that HTTP libraries expect."""
    remote.redirects("/next", Policy="x" * size)
    remote.redirects("/last?" + "y" * (size - 100))
    assert await get(remote.origin, spool) == b"recording"
    assert remote.asked[-1].target == "/last?" + "y" * (size - 100)


async def test_many_headers(remote: Remote, spool: Spool) -> None:
    many = {f"X-Header-{i}": "x" * 20 for i in range(1500)}
    remote.answers = [web.Response(body=b"recording", headers=many)]
    assert await get(remote.origin, spool) == b"recording"


async def test_headers_beyond_the_limit_are_refused(remote: Remote, spool: Spool) -> None:
    remote.redirects("/next", Policy="x" * 70_000)
    with pytest.raises(SourceUnreachable, match="65,536 bytes"):
        await get(remote.origin, spool)


# -------------------------------------------------------------------------------- cookies


async def test_a_cookie_set_on_the_way_is_brought_along(
    remote: Remote, other: Remote, spool: Spool
) -> None:
    """As sharing sites ask for; and it is another site's, or the next fetch's, no business."""
    remote.redirects("/confirm", **{"Set-Cookie": "warning=t0k/en:=1; Path=/; HttpOnly"})
    remote.redirects("/other", **{"Set-Cookie": "second=2; Path=/"})
    await get(remote.origin, spool)
    sent = [asked.headers.get("Cookie", "").split("; ") for asked in remote.asked]
    assert [sorted(cookies) for cookies in sent] == [
        [""],
        ["warning=t0k/en:=1"],
        ["second=2", "warning=t0k/en:=1"],
    ]
    with closing(Spool()) as another:
        await get(remote.origin, another)
    assert "Cookie" not in remote.asked[-1].headers


async def test_a_cookie_does_not_reach_another_host(remote: Remote, spool: Spool) -> None:
    async with serving("127.0.0.2") as elsewhere:
        remote.redirects(elsewhere.origin, **{"Set-Cookie": "session=1; Path=/"})
        await get(remote.origin, spool)
        assert "Cookie" not in elsewhere.asked[-1].headers


# -------------------------------------------------------------------------------- escapes

ESCAPES = [
    "/a%2Fb", "/%27%28%40%7E%2C%3A%29%3B%3D%26%2B%24%21%2A", "/a'(@~,:)b;c=d&e+f$g!h*i",
    "/%e4%C3%a4", "/100%", "/a%zz", "/%7euser/~user", "/a%20b+c", "/a//b/./c", "/%2e%2e/x",
    "/x?X-Amz-Credential=AKIA%2F20250101%2Fus-east-1%2Fs3&X-Amz-Date=2025%3A01",
    "/x?sig=a%2Bb%2F%3D%3D&se=2025-01-01T00%3A00%3A00Z&sp=r", "/x?a=b+c&d=%20&e=%2B",
    "/x?response-content-disposition=attachment%3B%20filename%3D%22a.wav%22",
    "/x?Policy=eyJ~_-&Signature=a-b~c_&Key-Pair-Id=K", "/x?", "/x?a&b=&=c&&", "/a|b^c`d{e}",
    "/[1]?a[]=b",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
async def test_escapes_go_out_as_they_came(remote: Remote, spool: Spool, path: str) -> None:
    remote.redirects(remote.origin + path)
    await get(remote.origin + path, spool)
    sent = path.removesuffix("?")
    assert [asked.target for asked in remote.asked] == [sent, sent]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("", "/"),
        ("?a=b", "/?a=b"),
        ("/fähre 日.wav", "/f%C3%A4hre%20%E6%97%A5.wav"),
        ("/x?q=ä b", "/x?q=%C3%A4%20b"),
        ('/a"b<c>', "/a%22b%3Cc%3E"),
        ("/x#part", "/x"),
    ],
)
async def test_what_a_url_cannot_hold_is_escaped(
    remote: Remote, spool: Spool, path: str, sent: str
) -> None:
    await get(remote.origin + path, spool)
    assert remote.asked[-1].target == sent


# ---------------------------------------------------------------------------- credentials


def with_user(origin: str, user: str) -> str:
    return origin.replace("http://", f"http://{user}@")


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


@pytest.mark.parametrize(
    ("user", "sent"),
    [("me:pass", "me:pass"), ("me", "me:"), (":secret", ":secret"), ("m%40x:p%3Aq", "m@x:p:q"),
     ("käthe:pässe", "käthe:pässe"), ("%C3%A4:%F0%9F%98%80", "ä:😀"), ("a:b:c", "a:b:c")],
)  # fmt: skip
async def test_the_user_of_a_url_is_brought_along(
    remote: Remote, spool: Spool, user: str, sent: str
) -> None:
    remote.redirects("/next", remote.origin + "/last")
    await get(with_user(remote.origin, user) + "/a", spool)
    assert [asked.headers.get("Authorization") for asked in remote.asked] == [basic(sent)] * 3


async def test_the_user_stays_with_the_origin(remote: Remote, other: Remote, spool: Spool) -> None:
    remote.redirects(other.origin + "/away")
    other.redirects(remote.origin + "/back")
    await get(with_user(remote.origin, "me:pass"), spool)
    assert "Authorization" not in other.asked[-1].headers
    assert [asked.headers.get("Authorization") for asked in remote.asked] == [basic("me:pass")] * 2


async def test_the_user_of_a_location_is_that_origins(
    remote: Remote, other: Remote, spool: Spool
) -> None:
    remote.redirects(with_user(other.origin, "you:word"))
    other.redirects("/next", remote.origin)
    await get(remote.origin, spool)
    assert [asked.headers.get("Authorization") for asked in other.asked] == [basic("you:word")] * 2
    assert all("Authorization" not in asked.headers for asked in remote.asked)


async def test_no_user_is_sent_where_none_was_named(remote: Remote, spool: Spool) -> None:
    await get(remote.origin, spool)
    assert "Authorization" not in remote.asked[-1].headers


# ---------------------------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    "url",
    ["http://ex..ample.com/a.wav", "http://.example.com/", "http://" + "a" * 64 + ".com/",
     "http://" + "a." * 127 + "com/", "http://a b.com/", "http://exa%mple.com:80:80/",
     "http://[::1/", "http://[zz]/", "http://h:99999/", "http://h:port/", "http://\ud800.com/",
     "http://h/\ud800", "http://" + "ä" * 64 + ".com/", "https://", "http://@/", "http://:80/"],
)  # fmt: skip
async def test_hosts_that_cannot_be_are_the_clients_fault(spool: Spool, url: str) -> None:
    with pytest.raises(InvalidSource, match=r"[a-z ]+.*\.$") as caught:
        await get(url, spool)
    assert 400 <= caught.value.status < 500
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("host", "sent"),
    [("EXAMPLE.com", "example.com"), ("exämple.com", "xn--exmple-cua.com"), ("a_b.com", "a_b.com"),
     ("example.com.", "example.com."), ("[::1]", "[::1]"), ("a" * 63 + ".com", "a" * 63 + ".com")],
)  # fmt: skip
def test_hosts_that_can_be(host: str, sent: str) -> None:
    assert Target.of(f"http://{host}:8080/x").url.raw_authority == f"{sent}:8080"


@pytest.mark.parametrize("url", ["http://nowhere.invalid/", "http://127.0.0.1:1/"])
async def test_hosts_that_are_not_there(spool: Spool, url: str) -> None:
    with pytest.raises(SourceUnreachable):
        await get(url, spool)
