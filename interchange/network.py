"""Which addresses the service may connect to on behalf of a client.

A client names URLs: of recordings, of webhooks. Unguarded, they would lead it into the
private network around the service (server-side request forgery, CWE-918). The guard looks at
the address of each socket just before it connects, so that no name, redirect, odd spelling
of an address or second answer of a name server gets past it.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from configs.settings import Network
from interchange.errors import AddressRefused

Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")


def _destination(address: Address) -> Address:
    """The address that packets end at: translators carry an IPv4 one inside an IPv6 one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not (isinstance(address, IPv6Address) and address.is_site_local)
    )


class AddressGuard:
    """Lets connections through to public addresses, and to `allowed` networks."""

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def permits(self, address: str) -> bool:
        """Whether `address`, in its usual notation, may be connected to."""
        # A link-local address can carry its interface: fe80::1%eth0.
        destination = _destination(ip_address(address.partition("%")[0]))
        return _is_public(destination) or any(destination in network for network in self._allowed)

    def connector(self, **options: Any) -> aiohttp.TCPConnector:
        """A connector for an aiohttp session, all of whose sockets pass the guard.

        A request to an address that does not pass raises AddressRefused. Give the session
        `trust_env=False`: through a proxy, the guard would see the proxy's address only.
        """
        # Without happy eyeballs addresses are tried in order, and a refusal ends the attempt.
        return aiohttp.TCPConnector(
            socket_factory=self._socket, happy_eyeballs_delay=None, **options
        )

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, peer = info
        if not self.permits(str(peer[0])):
            raise AddressRefused(
                "The URL leads to a private or reserved address, which this service does not "
                "connect to; its operator can allow networks by RAYSCRIBE_ALLOWED_NETWORKS."
            )
        return socket.socket(family, kind, protocol)


def printable(url: str) -> str:
    """`url` for a message or a log: without credentials, query and fragment, which hold secrets."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "the URL"
    host = f"[{host}]" if ":" in host else host
    text = f"{parts.scheme}://{host}{port}{parts.path}"
    text = text.encode("utf-8", "replace").decode("utf-8")  # surrogates cannot be written anywhere
    return text if len(text) <= 200 else text[:200] + "…"
