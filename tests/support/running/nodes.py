"""Several Ray nodes on this machine, with the graph on them and recognizers that sleep."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import httpx2

from tests.support.running.service import ROOT, free_port

_START_S = 300.0


class Nodes:
    """The graph on several nodes. Nodes are called by their ids; the head is none of them.
    `metrics` are the ports of all, at which Prometheus would find figures."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url
        self.metrics: list[int] = self._ask("metrics")

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=300)

    def placed(self) -> dict[str, list[str]]:
        """The nodes on which the replicas of each deployment run, `head` for the head."""
        found: dict[str, list[str]] = self._ask("placed")
        return found

    def kill(self, node: str) -> None:
        """Every process of a node by `kill -9`, as when a machine loses its power."""
        self._ask("kill", node)

    def drain(self, node: str) -> None:
        """As a pod does before it stops: Ray moves what is there elsewhere."""
        self._ask("drain", node)

    def add(self) -> None:
        """A new node."""
        self._ask("add")
        self.metrics = self._ask("metrics")

    def _ask(self, *words: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return _answer(self._process)


def _answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"The nodes ended with {process.wait()}; see their log.")
    return json.loads(line)["answer"]


@contextmanager
def nodes(log: IO[str]) -> Iterator[Nodes]:
    """A head and two nodes; what they print goes to `log`."""
    # Short, as the paths of sockets are limited to a hundred characters.
    folder = tempfile.mkdtemp(prefix="rsn-", dir="/tmp")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.running.nodes_driver", folder, str(port)],
        cwd=ROOT,
        env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_TMPDIR": folder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    watchdog = threading.Timer(_START_S, process.kill)
    watchdog.start()
    try:
        _answer(process)
        watchdog.cancel()
        yield Nodes(process, f"http://127.0.0.1:{port}")
    finally:
        watchdog.cancel()
        process.communicate(timeout=120)  # the end of its input ends it
        shutil.rmtree(folder, ignore_errors=True)
