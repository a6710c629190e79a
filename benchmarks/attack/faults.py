"""Parts that fail, clients that leave, ports that are open, logs that tell."""

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks.attack.target import (
    KEY,
    NAME,
    QUERY,
    TRANSCRIPTIONS,
    Line,
    Target,
    sample,
    timed,
)

_STORE_S = 4.0
_LEFT_S = 75.0
_REPLACED_S = 30.0

_AT_WORK_S = 0.6
"""After which a recording is being recognized, and its speakers told apart."""


def locked_store(target: Target) -> Iterator[Line]:
    job = {"url": f"{target.remote.url}/status/404"}
    with (
        target.client() as client,
        closing(sqlite3.connect(target.folder / "jobs.sqlite", isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        ready, first = timed(lambda: client.get("/ready"))
        kept, second = timed(lambda: client.post("/v1/jobs", json=job))
        other.execute("ROLLBACK")
    answers = (
        f"/ready {ready.status_code} in {first:.1f} s, a job {kept.status_code} in {second:.1f} s"
    )
    held = ready.status_code == kept.status_code == 503 and max(first, second) < _STORE_S
    yield Line("the store is locked", answers, held)


def killed_ingress(target: Target) -> Iterator[Line]:
    recording = sample()
    with target.client(timeout=300) as client, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(target.transcribe, client, recording) for _ in range(8)]
        time.sleep(0.5)
        killed = target.service.kill("Ingress")
        answers = [each.result() for each in waiting]
    target.service.wait_until_replaced("Ingress", killed)
    cut = [answer for answer in answers if answer.status_code != 200]
    statuses = sorted({answer.status_code for answer in answers})
    held = all(a.status_code == 503 and a.headers.get("retry-after") and a.json() for a in cut)
    yield Line("the ingress is killed under 8", f"{statuses}, {len(cut)} cut", bool(cut) and held)


def killed_stages(target: Target) -> Iterator[Line]:
    """A request loses the replica that works for it: it goes to the next one, and is not late by
    more than that takes to start."""
    for stage in ("SpeechRecognizer", "SpeakerDiarizer"):
        _, alone = _with_speakers(target)
        answer, seconds = _with_speakers(target, partial(target.service.kill, stage))
        late = seconds - alone
        held = answer.status_code == 200 and late <= _REPLACED_S
        said = f"{answer.status_code} in {seconds:.0f} s, {late:.0f} more than alone"
        yield Line(f"a {stage} is killed under a request", said, held)


def hung_recognizer(target: Target) -> Iterator[Line]:
    """A recognizer that neither works nor ends, as one whose driver hangs."""
    hung = target.service.replicas("SpeechRecognizer")

    def hang() -> None:
        for process in hung:
            os.kill(process, signal.SIGSTOP)

    answer, seconds = _with_speakers(target, hang)
    replaced = not hung & target.service.replicas("SpeechRecognizer")
    said = f"{answer.status_code} in {seconds:.0f} s, {'' if replaced else 'not '}replaced"
    yield Line("a recognizer hangs under a request", said, answer.status_code == 200 and replaced)


def _with_speakers(target: Target, meanwhile: Callable[[], object] = lambda: None) -> Any:
    """The answer to a recording of half a minute, and how many seconds it took."""
    with target.client(timeout=600) as client, ThreadPoolExecutor(1) as pool:
        form = {"model": "whisper-1", "speakers": "true", "response_format": "verbose_json"}
        files = {"file": ("a.wav", sample())}
        call = partial(client.post, TRANSCRIPTIONS, data=form, files=files)
        asked = pool.submit(timed, call)
        time.sleep(_AT_WORK_S)
        meanwhile()
        return asked.result()


def leaving(target: Target) -> Iterator[Line]:
    """Clients that go away while they upload; what stays of their files."""
    address = urlsplit(target.service.url)
    head = (
        f"POST {TRANSCRIPTIONS} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {KEY}"
        "\r\nContent-Type: multipart/form-data; boundary=cut\r\nContent-Length: 9000000\r\n\r\n"
        f'--cut\r\nContent-Disposition: form-data; name="file"; filename="{NAME}.wav"\r\n\r\n'
    ).encode()
    for _ in range(100):
        with socket.create_connection((address.hostname or "", address.port or 80)) as client:
            client.sendall(head + sample()[:200_000])
    storage = target.folder / "storage"
    until = time.monotonic() + _LEFT_S
    while (left := _files(storage)) and time.monotonic() < until:
        time.sleep(1)
    yield Line("100 clients leave while they upload", f"{left} files stay", left == 0)


def _files(folder: Path) -> int:
    """How many recordings are stored; hidden files are the store's own."""
    return sum(not path.name.startswith(".") for path in folder.rglob("*") if path.is_file())


def ports(target: Target) -> Iterator[Line]:
    """What listens on more than loopback, of all processes of the service."""
    root = psutil.Process(target.service.process.pid)
    open_ports = {
        (connection.laddr.ip, connection.laddr.port)
        for process in [root, *root.children(recursive=True)]
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        and not connection.laddr.ip.startswith(("127.", "::1", "::ffff:127."))
    }
    yield Line("ports beyond loopback", f"{len(open_ports)}", not open_ports)


def logs(target: Target) -> Iterator[Line]:
    """Sends what no log may hold, then looks for it in all files of Ray's session."""
    hook = {"url": f"not-an-address?{QUERY}"}
    url = f"{target.remote.url}/{NAME}.mp3?{QUERY}"
    with target.client() as client:
        client.post("/", json={"url": url, "webhook": hook})
        client.post("/", json={"url": url, "managed_task_id": NAME})
        client.post("/v1/jobs", json={"url": url, "webhook": {"url": f"http://[{QUERY}"}})
        client.get(f"/status/{NAME}?{QUERY}")
        said = target.transcribe(client, sample(), f"{NAME}.wav").json()["text"].split(".")[0]
    time.sleep(3)
    session = _session(target.service.process.pid)
    secrets = {"a key": KEY, "a query": QUERY, "a name": NAME, "a transcript": said}
    files = [path for path in session.rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in files if os.access(path, os.R_OK)]
    found = sorted(n for n, text in secrets.items() if any(text.encode() in t for t in texts))
    yield Line("logs", f"{len(files)} files hold {', '.join(found) or 'none of it'}", not found)


def _session(pid: int) -> Path:
    """The folder of the logs of the cluster that this process has started."""
    for process in psutil.Process(pid).children(recursive=True):
        for word in process.cmdline():
            if "/session_" in word and "/logs" in word:
                return Path(word.partition("=")[2] or word).resolve().parents[0]
    return Path("/tmp/ray/session_latest/logs").resolve()
