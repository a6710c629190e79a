"""Bodies that are malformed, and bodies that never end."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

from benchmarks.attack.target import KEY, TRANSCRIPTIONS, Line, Probes, Target, sample, timed
from tests.support.hostile import FORMS, TEXTS

_SOON_S = 2.0
_UPLOADS = 130
_CUT_S = 60.0


def malformed(target: Target) -> Iterator[Line]:
    """Each of them alone, and how long it took."""
    with target.client() as client:
        for path, bodies in (
            (TRANSCRIPTIONS, FORMS),
            ("/", {name: ("application/json", text) for name, text in TEXTS.items()}),
        ):
            for name, (kind, body) in bodies.items():
                answer, seconds = timed(
                    lambda p=path, b=body, k=kind: client.post(  # type: ignore[misc]
                        p, content=b, headers={"content-type": k}
                    )
                )
                held = 400 <= answer.status_code < 500 and seconds < _SOON_S
                yield Line(name, f"{answer.status_code} in {1000 * seconds:.0f} ms", held)


def trickling(target: Target) -> Iterator[Line]:
    """130 uploads that send a byte now and then, and 100 connections that say nothing."""
    address = urlsplit(target.service.url)
    head = (
        f"POST {TRANSCRIPTIONS} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {KEY}"
        "\r\nContent-Type: multipart/form-data; boundary=cut\r\nContent-Length: 1000000\r\n\r\n"
        '--cut\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    ).encode()
    with ExitStack() as stack:
        slow = [_connected(stack, address.hostname, address.port) for _ in range(_UPLOADS)]
        idle = [_connected(stack, address.hostname, address.port) for _ in range(100)]
        for each in slow:
            each.sendall(head)
        with Probes(target, "/health", "/ready") as probes, target.client() as client:
            answer, seconds = timed(lambda: target.transcribe(client, sample()))
        yield Line("130 uploads that trickle: others", probes.summary, probes.held)
        held = answer.status_code == 200
        yield Line("… a recording beside them", f"{answer.status_code} in {seconds:.1f} s", held)
        until = time.monotonic() + _CUT_S
        cut = sum(_ended(each, until) for each in slow)
        yield Line("… are cut off", f"{cut} of {len(slow)} within a minute", cut == len(slow))
        cut = sum(_ended(each, until) for each in idle)
        yield Line("100 idle connections", f"{cut} closed within a minute", cut == len(idle))


def _connected(stack: ExitStack, host: str | None, port: int | None) -> socket.socket:
    return stack.enter_context(socket.create_connection((host or "127.0.0.1", port or 80)))


def _ended(connection: socket.socket, until: float) -> bool:
    try:
        while True:
            connection.settimeout(max(until - time.monotonic(), 0.01))
            if not connection.recv(65536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
