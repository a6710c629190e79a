"""Networks as a setting: CIDRs, in a list or separated by commas."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


def networks(value: Any) -> tuple[Any, ...]:
    """The networks of a setting; what is no text is left to pydantic. Raises ValueError."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError(  # noqa: TRY004 — pydantic turns only this one into its own
            "Networks are CIDRs, as a list or separated by commas."
        )
    return tuple(
        _network(part) if isinstance(part, str) else part
        for part in parts
        if not isinstance(part, str) or part.strip()
    )


def _network(text: str) -> Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise ValueError(
            f"{text.strip()!r} is not a network in CIDR notation such as 10.0.0.0/8: {error}."
        ) from error
