"""Which IP addresses are of the public internet: by IANA's registries of special-purpose ones.

https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry, as
they stood in November 2026. Every block of them counts, globally reachable ones too: nobody
publishes recordings there. Python's `ipaddress` follows the registries at a distance, and differs
from one of its releases to the next.
"""

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_SPECIAL_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by a carrier's customers; metadata at Alibaba
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's own: a public number, answered within the machine's host
            "169.254.0.0/16",  # link-local; metadata nearly everywhere
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments; metadata at Oracle
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # multicast tunnels
            "192.88.99.0/24",  # relays to 6to4
            "192.168.0.0/16",
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)

_UNICAST_6 = IPv6Network("2000::/3")
"""All that IANA gives out as global unicast; special blocks outside need no line below."""

_SPECIAL_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID and more
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def destination(address: Address) -> Address:
    """The address that packets end at: a translator's carries an IPv4 one inside."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or (
        IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else address
    )


def is_public(address: Address) -> bool:
    """Whether it, and what it may be the tunnel to, is in no special block."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _SPECIAL_4)
    if address not in _UNICAST_6 or any(address in block for block in _SPECIAL_6):
        return False
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP


def is_own(address: Address) -> bool:
    """Whether it is one of this machine's interfaces: what is sent there comes from there.

    A public address that is translated outside the machine is not known to it.
    """
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(address), 9))  # sends nothing
        return bool(probe.getsockname()[0] == str(address))
    return False
