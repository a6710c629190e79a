"""A Redis on a free port of loopback, where its server is installed."""

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.support.running.service import free_port

_START_S = 30.0


def server() -> str | None:
    """The path of a server that speaks Redis' protocol."""
    return shutil.which("valkey-server") or shutil.which("redis-server")


@contextmanager
def redis(folder: Path, log: IO[str]) -> Iterator[tuple[str, str]]:
    """Its address and its password. Its data ends with it."""
    program, port, password = server(), free_port(), secrets.token_hex(16)
    assert program is not None
    config = folder / "redis.conf"
    config.write_text(
        f"bind 127.0.0.1\nport {port}\ndir {folder}\nsave ''\nrequirepass {password}\n"
    )
    process = subprocess.Popen([program, config], stdout=log, stderr=log)
    try:
        _wait_for(port)
        yield f"127.0.0.1:{port}", password
    finally:
        process.terminate()
        process.wait(_START_S)


def _wait_for(port: int) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"Redis did not listen within {_START_S:g} s.")
