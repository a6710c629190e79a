"""Fetch URLs as a loader does, each in its turn, and write what came of it: `… URL…`.

127.0.0.1 may be fetched from. A line has the number of bytes, or the name of the error.
"""

import asyncio
import sys
from contextlib import closing
from ipaddress import ip_network

from configs.settings import FetchSettings
from deployments.audio.fetching.fetch import fetch
from deployments.audio.fetching.spool import Spool
from interchange.errors import RayscribeError
from interchange.network import AddressGuard

_GUARD = AddressGuard([ip_network("127.0.0.1/32")])


async def _outcome(url: str) -> str:
    with closing(Spool()) as spool:
        try:
            await fetch(url, spool, FetchSettings(), _GUARD)
        except RayscribeError as error:
            return type(error).__name__
        return str(spool.written)


async def _all(urls: list[str]) -> None:
    for url in urls:
        print(await _outcome(url), flush=True)


if __name__ == "__main__":
    asyncio.run(_all(sys.argv[1:]))
