"""Recordings made to hurt, and addresses that lead where nobody may go."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from benchmarks.attack.target import QUERY, Line, Target, at_once, sample, timed
from benchmarks.measuring.memory import PeakMemory, of_tree
from tests.support.recordings.speech import SPEECH

_MAY_GROW = 8 * 600 * 2**20
_SOON_S = 60.0


def bombs(target: Target) -> Iterator[Line]:
    """Each alone, then eight at once, with the memory of all processes counted."""
    folder = SPEECH / "attack"
    for path in sorted(path for path in folder.glob("*") if path.suffix in (".mp4", ".flac")):
        for number in (1, 8):
            yield _bomb(target, path, number)


def _bomb(target: Target, path: Path, number: int) -> Line:
    with target.client(timeout=300) as client:
        call = partial(target.transcribe, client, path.read_bytes(), path.name)
        before = of_tree(target.service.process.pid)
        with PeakMemory(target.service.process.pid) as peak:
            answers, seconds = timed(lambda: at_once([call] * number))
    grown = peak.bytes - before
    statuses = sorted({answer.status_code for answer in answers})
    fine = all(status < 500 for status in statuses)
    answer = f"{statuses} in {seconds:.1f} s, {grown / 2**20:.0f} MB more"
    return Line(f"{number} × {path.name}", answer, fine and seconds < _SOON_S and grown < _MAY_GROW)


def links(target: Target) -> Iterator[Line]:
    """Addresses of machines' own networks and of clouds' metadata, spelled in many ways."""
    port = target.canary.port
    hosts = (
        *("127.0.0.2", "127.1", "2130706434", "0x7f000002", "0177.0.0.2", "[::ffff:127.0.0.2]"),
        *(
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.0.8",
            "192.88.99.1",
            "10.0.0.1",
        ),
        *("[3fff::1]", "[::1]", "[fe80::1]", "[64:ff9b::7f00:2]", "[2002:7f00:2::]", "0.0.0.0"),
        "[2001:db8::5efe:127.0.0.2]",
    )
    urls = [f"http://{host}:{port}/page?token={QUERY}" for host in hosts]
    urls += [f"{target.remote.url}/redirect?to={quote(url, safe='')}" for url in urls]
    with target.client() as client:
        answers = [client.post("/", json={"url": url}) for url in urls]
    wrong = [a.text[:60] for a in answers if a.status_code != 400]
    hits = target.canary.hits
    held = not wrong and hits == 0
    yield Line(
        f"{len(urls)} links inwards", f"{hits} hits on the canary; {wrong or 'all 400'}", held
    )


def slow_links(target: Target) -> Iterator[Line]:
    """Eight addresses that answer and then say nothing, and somebody else's recording."""
    stuck = f"{target.remote.url}/slow"
    with target.client(timeout=300) as client:

        def fetch() -> int:
            return int(client.post("/", json={"url": stuck}).status_code)

        def other() -> tuple[int, float]:
            answer, seconds = timed(lambda: target.transcribe(client, sample()))
            return int(answer.status_code), seconds

        *statuses, (status, seconds) = at_once([fetch] * 8 + [other])
    held = status == 200 and seconds < _SOON_S and set(statuses) == {400}
    answer = f"{sorted(set(statuses))}; another's recording: {status} in {seconds:.1f} s"
    yield Line("8 links that stop talking", answer, held)
