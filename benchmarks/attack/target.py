"""What is attacked, and what came of it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from tests.support.recordings.speech import SAMPLE
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service

if TYPE_CHECKING:
    from benchmarks.attack.names import NameServer

TRANSCRIPTIONS = "/v1/audio/transcriptions"
KEY = "a-key-that-no-log-may-hold"
QUERY = "a-query-that-no-log-may-hold"
NAME = "a-name-that-no-log-may-hold"


@dataclass(frozen=True, slots=True)
class Line:
    """One attack: what it was, what the service did, and whether that is as it should be."""

    attack: str
    answer: str
    held: bool


class Canary:
    """Listens on an address that nobody may be led to, and counts who comes all the same."""

    def __init__(self, port: int = 0) -> None:
        self._listening = socket.create_server(("127.0.0.2", port))
        self.port: int = self._listening.getsockname()[1]
        self.hits = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            self.hits += 1
            connection.close()


@dataclass(frozen=True, slots=True)
class Target:
    """A running service with a key; `folder` holds its storage and its store. `remote` is a
    web server that may be fetched from, `canary` one that may not. `names` is what it asks for
    addresses, None where that is the system's own."""

    service: Service
    folder: Path
    remote: RemoteServer
    canary: Canary
    names: "NameServer | None"

    @contextmanager
    def client(self, timeout: float = 120) -> Iterator[httpx2.Client]:
        with httpx2.Client(
            base_url=self.service.url,
            timeout=timeout,
            headers={"authorization": f"Bearer {KEY}"},
            limits=httpx2.Limits(max_connections=None),
        ) as client:
            yield client

    def transcribe(self, client: httpx2.Client, recording: bytes, name: str = "a.wav") -> Any:
        files = {"file": (name, recording)}
        return client.post(TRANSCRIPTIONS, data={"model": "whisper-1"}, files=files)


def sample() -> bytes:
    return SAMPLE.read_bytes()


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


class Probes:
    """Asks a path again and again inside a `with`; `answers` has status and seconds of each."""

    def __init__(self, target: Target, *paths: str) -> None:
        self.answers: list[tuple[int, float]] = []
        self._target = target
        self._paths = paths
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Probes":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        with self._target.client() as client:
            while not self._ended.wait(0.2):
                for path in self._paths:
                    answer, seconds = timed(lambda path=path: client.get(path))  # type: ignore[misc]
                    self.answers.append((answer.status_code, seconds))

    @property
    def summary(self) -> str:
        slowest = max((seconds for _, seconds in self.answers), default=0)
        good = sum(status == 200 for status, _ in self.answers)
        return f"{good} of {len(self.answers)} probes answered, the slowest in {slowest:.1f} s"

    @property
    def held(self) -> bool:
        return all(status == 200 for status, _ in self.answers)
