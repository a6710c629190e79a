"""The processes that decode, busy and idle ones, as the system sees them."""

from contextlib import suppress

import psutil


def decoding_children(process: int | None = None) -> list[psutil.Process]:
    """Those of a loader: of this process, or of that number."""
    found: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        for server in fork_servers(process):
            found += server.children()
    return found


def fork_servers(process: int | None = None) -> list[psutil.Process]:
    servers: list[psutil.Process] = psutil.Process(process).children()
    return servers
