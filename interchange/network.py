"""Which addresses the service may connect to on behalf of a client.

A client names URLs: of recordings, of webhooks. Unguarded, they would lead it into the
private network around the service (server-side request forgery, CWE-918). The guard looks at
the address of each socket just before it connects, so that no name, redirect, odd spelling
of an address or second answer of a name server gets past it.
"""

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from configs.networks import Network
from interchange.addresses import destination, is_own, is_public
from interchange.errors import AddressRefused


class AddressGuard:
    """Lets connections through to public addresses that are not this machine's and in none of the
    `refused` networks, and to `allowed` networks in any case."""

    def __init__(self, allowed: Iterable[Network] = (), refused: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._refused = tuple(refused)

    def permits(self, address: str) -> bool:
        """Whether `address`, in its usual notation, may be connected to."""
        # A link-local address can carry its interface: fe80::1%eth0.
        end = destination(ip_address(address.partition("%")[0]))
        if any(end in network for network in self._allowed):
            return True
        return (
            is_public(end)
            and not any(end in network for network in self._refused)
            and not is_own(end)
        )

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
                "The URL leads to a private or reserved address, or to this service's own "
                "machine, where it does not connect to; its operator can allow networks by "
                "RAYSCRIBE_ALLOWED_NETWORKS."
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
