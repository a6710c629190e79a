"""A name server that lies: names that lead inwards, by every way that names have.

What the service resolves names with is its system's own resolver. So it is started with another
/etc/resolv.conf, in a mount namespace of its own, which only root may do on Linux.
"""

import shutil
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

from benchmarks.attack.target import QUERY, Line, Target

_ADDRESS = "127.0.0.3"
_PORT = 53
_A, _CNAME, _AAAA = 1, 5, 28
_SECONDS_S = 6.0

_FREE = "127.0.0.1"
"""Which may be fetched from."""
_TRAP = "127.0.0.2"
"""Where the canary listens."""

_MANY = tuple(f"127.0.1.{number}" for number in range(1, 40))
_NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    # Of several answers each question gets the next one, from the last to the first again.
    "inwards": ((_TRAP,),),
    "rebinding": ((_FREE,), (_TRAP,)),
    "rebinding-late": ((_FREE,), (_FREE,), (_TRAP,)),
    "both": ((_FREE, _TRAP),),
    "many": ((*_MANY, _TRAP),),
    "metadata": (("169.254.169.254", _TRAP),),
    "mapped": ((f"::ffff:{_TRAP}",),),
    "translated": (("64:ff9b::7f00:2",),),
    "tunnelled": (("2002:7f00:2::", f"::ffff:{_TRAP}"),),
    "nothing": ((),),
}
_CHAIN = "chain-0"
_CHAIN_LINKS = 12
_LOOP = "loop"


class Zone:
    """What is said of the names below `.test`. `asked` counts questions by name."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._rounds: Counter[tuple[str, int]] = Counter()

    def answer(self, question: bytes) -> bytes:
        """To one question, both as on the wire. Raises IndexError or struct.error for none."""
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode("latin-1"))
            at += 1 + length
        (kind,) = struct.unpack("!H", question[at + 1 : at + 3])
        name = labels[0].lower() if labels[1:] == ["test"] else ""
        self.asked[name] += 1
        records = self._records(name, kind)
        head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0)
        return head + question[12 : at + 5] + b"".join(records)

    def _records(self, name: str, kind: int) -> list[bytes]:
        if name == _LOOP:
            return [_record(_wire(_LOOP), _CNAME, _wire(_LOOP))]
        if name == _CHAIN:
            links = [_wire(f"chain-{number}") for number in range(_CHAIN_LINKS)]
            found = [_record(a, _CNAME, b) for a, b in pairwise(links)]
            return [*found, *_addresses(links[-1], (_TRAP,), kind)]
        answers = _NAMES.get(name)
        if answers is None:
            return []
        which = self._rounds[name, kind] % len(answers)
        self._rounds[name, kind] += 1
        return _addresses(_wire(name), answers[which], kind)


class NameServer(Zone):
    """Answers over UDP."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_ADDRESS, _PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, client = self._socket.recvfrom(4096)
                self._socket.sendto(self.answer(question), client)
            except (OSError, IndexError, struct.error):
                if self._socket.fileno() < 0:
                    return


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in (name, "test")) + b"\0"


def _record(name: bytes, kind: int, data: bytes) -> bytes:
    """That no cache may keep."""
    return name + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


def _addresses(name: bytes, addresses: tuple[str, ...], kind: int) -> list[bytes]:
    version = {_A: 4, _AAAA: 6}.get(kind)
    parsed = map(ip_address, addresses)
    return [_record(name, kind, each.packed) for each in parsed if each.version == version]


@contextmanager
def name_server(folder: Path) -> Iterator[tuple[NameServer | None, list[str]]]:
    """A name server, and the command under which a program asks it; None where that cannot be."""
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver {_ADDRESS}\noptions timeout:1 attempts:1\n")
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    under = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(settings)]
    if not shutil.which("unshare") or subprocess.run([*under, "true"], check=False).returncode:
        yield None, []
        return
    try:
        server = NameServer()
    except OSError:
        yield None, []
        return
    try:
        yield server, under
    finally:
        server.close()


def names(target: Target) -> Iterator[Line]:
    """Recordings and webhooks whose names lead to the canary."""
    if target.names is None:
        yield Line("names that lead inwards", "left out: only root may change the resolver", True)
        return
    port = target.canary.port
    hosts = [f"{name}.test" for name in (*_NAMES, _CHAIN, _LOOP, "unknown")]
    urls = [f"http://{host}:{port}/a.mp3?token={QUERY}" for host in hosts for _ in range(4)]
    urls += [f"{target.remote.url}/redirect?to={quote(url, safe='')}" for url in urls]
    before = target.canary.hits
    with target.client(timeout=60) as client:
        answers = [client.post("/", json={"url": url}) for url in urls]
        gone = f"{target.remote.url}/status/404"
        for host in hosts:
            hook = {"url": f"http://{host}:{port}/hook"}
            client.post("/v1/jobs", json={"url": gone, "webhook": hook}).raise_for_status()
    time.sleep(_SECONDS_S)
    wrong = sorted({answer.status_code for answer in answers} - {400})
    unasked = [host for host in hosts if not target.names.asked[host.removesuffix(".test")]]
    hits = target.canary.hits - before
    said = f"{hits} hits on the canary; {wrong or 'all 400'}"
    if unasked:
        said += f"; never asked for: {', '.join(unasked)}"
    yield Line(
        f"{len(urls)} names that lead inwards, {len(hosts)} of webhooks",
        said,
        not (hits or wrong or unasked),
    )
