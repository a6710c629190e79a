from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from interchange.addresses import is_own
from interchange.errors import AddressRefused
from interchange.network import AddressGuard, printable

LOOPBACK = ip_network("127.0.0.0/8")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.1.2",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # the metadata service of every large cloud
        "100.64.0.1",  # shared by carriers
        "0.0.0.0",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo, to 10.0.0.1
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "168.63.129.16",  # Azure's
        "192.0.0.192",  # Oracle's
        "100.100.100.200",  # Alibaba's
        "fd00:ec2::254",  # Amazon's
        "192.0.0.8",
        "192.0.0.170",
        "192.88.99.1",
        "192.31.196.1",
        "192.175.48.1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "100::1",
        "100:0:0:1::1",
        "2001:2::1",
        "2001:20::1",
        "2002:808:808::1",  # 6to4, whatever lies behind
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo, likewise
        "::808:808",  # compatible, which nobody uses any more
        "::ffff:0:7f00:1",  # translated
        "64:ff9b::a83f:8110",
        "fe80::5efe:7f00:1",
        "2606:4700::5efe:7f00:1",  # ISATAP
        "2606:4700::200:5efe:808:808",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not AddressGuard().permits(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "168.63.129.17",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "3ffe::1",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses_pass(address: str) -> None:
    assert AddressGuard().permits(address)


def test_an_allowed_network_passes_and_no_other() -> None:
    guard = AddressGuard([ip_network("10.1.0.0/16"), ip_network("fd00::/8")])
    assert guard.permits("10.1.2.3")
    assert guard.permits("::ffff:10.1.2.3")
    assert guard.permits("fd00::5")
    assert not guard.permits("10.2.0.1")
    assert not guard.permits("127.0.0.1")


def test_an_operator_names_public_addresses_that_are_its_own() -> None:
    guard = AddressGuard(refused=[ip_network("93.184.216.0/24")])
    assert not guard.permits("93.184.216.34")
    assert not guard.permits("64:ff9b::5db8:d822")
    assert guard.permits("93.184.217.1")
    both = AddressGuard([ip_network("93.184.216.34/32")], [ip_network("93.184.216.0/24")])
    assert both.permits("93.184.216.34")


def test_addresses_of_this_machine_are_known() -> None:
    assert is_own(ip_address("127.0.0.1"))
    for address in ("192.0.2.1", "2001:db8::1"):
        assert not is_own(ip_address(address))


def test_a_public_address_of_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AddressGuard().permits("8.8.8.8")
    monkeypatch.setattr("interchange.network.is_own", lambda address: str(address) == "8.8.8.8")
    assert not AddressGuard().permits("8.8.8.8")
    assert not AddressGuard().permits("::ffff:8.8.8.8")
    assert AddressGuard([ip_network("8.8.8.8/32")]).permits("8.8.8.8")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    running = TestServer(app, host="127.0.0.1")
    async with running:
        yield running


class Resolver(AbstractResolver):
    """Answers 127.0.0.1 for every name, as a name server under an attacker's control may."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "127.1", "public.example"]
)
async def test_a_session_reaches_no_private_server_by_any_name(
    server: TestServer, host: str
) -> None:
    guard = AddressGuard()
    async with aiohttp.ClientSession(connector=guard.connector(resolver=Resolver())) as session:
        # aiohttp itself turns numeric spellings other than the usual one down.
        with pytest.raises((AddressRefused, aiohttp.InvalidURL)):
            await session.get(f"http://{host}:{server.port}/")


async def test_a_session_reaches_an_allowed_server(server: TestServer) -> None:
    guard = AddressGuard([LOOPBACK])
    async with (
        aiohttp.ClientSession(connector=guard.connector(resolver=Resolver())) as session,
        session.get(f"http://public.example:{server.port}/") as response,
    ):
        assert await response.text() == "hello"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://user:secret@host.example:8443/a.wav?token=t#f",
            "https://host.example:8443/a.wav",
        ),
        ("http://[::1]/a", "http://[::1]/a"),
        ("http://[broken/a", "the URL"),
        ("http://host:port/a", "the URL"),
    ],
)
def test_secrets_of_a_url_are_never_shown(url: str, shown: str) -> None:
    assert printable(url) == shown


def test_an_endless_url_is_shown_in_part() -> None:
    assert len(printable("http://host/" + "a" * 5000)) < 250
