"""The real service, started as `make serve` starts it, in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx2

ROOT = Path(__file__).parents[3]

_START_S = 240
_STOP_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """A running graph. `replicas` finds its processes, so that a test can kill them."""

    def __init__(self, process: subprocess.Popen[str], url: str, metrics: str) -> None:
        self.process = process
        self.url = url
        self.metrics = metrics

    def client(self, timeout: float = 300) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=timeout)

    def replicas(self, deployment: str) -> set[int]:
        """Process ids of the running replicas of one deployment of this service."""
        title = f"ray::ServeReplica:rayscribe:{deployment}"
        return {
            process
            for process, command in _commands().items()
            if command.startswith(title) and self.process.pid in _ancestors(process)
        }

    def processes(self) -> set[int]:
        """Process ids of the whole service, Ray's own among them."""
        return {process for process in _commands() if self.process.pid in _ancestors(process)}

    def kill(self, deployment: str) -> set[int]:
        """`kill -9` to every replica of a deployment; returns who was killed."""
        killed = self.replicas(deployment)
        for process in killed:
            os.kill(process, signal.SIGKILL)
        return killed

    def kill_everything(self) -> int:
        """`kill -9` to the service with all its processes, as when a machine loses its power;
        returns how many there were."""
        killed: set[int] = set()
        while True:
            # Some may have been started while the others were killed; the first process goes
            # last, because a child whose parents are gone cannot be found by its ancestors.
            found = {p for p in _commands() if self.process.pid in _ancestors(p)} - killed
            if not found:
                break
            for process in found:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            killed |= found
        self.process.kill()
        self.process.wait(_STOP_S)
        return len(killed) + 1

    def wait_until_replaced(
        self, deployment: str, killed: set[int], timeout: float = 120
    ) -> set[int]:
        """The new replicas of a deployment whose old ones were killed, once they serve.

        Serve takes a moment to notice that a replica is gone, and counts it as up meanwhile.
        """
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if (running := self.replicas(deployment)) and not running & killed:
                self.wait_until_ready(until - time.monotonic())
                return running
            time.sleep(0.5)
        raise TimeoutError(f"{deployment} was not replaced within {timeout:g} s.")

    def wait_until_ready(self, timeout: float = 120) -> None:
        until = time.monotonic() + timeout
        with self.client(timeout=30) as client:
            while time.monotonic() < until:
                if client.get("/ready").status_code == 200:
                    return
                time.sleep(0.5)
        raise TimeoutError(f"The service was not ready again within {timeout:g} s.")


@contextmanager
def service(
    log: IO[str],
    profile: str = "configs/cpu.yaml",
    env: Mapping[str, str] | None = None,
    under: Sequence[str] = (),
) -> Iterator[Service]:
    """Start a profile on a free port of loopback; what it prints goes to `log`. `under` is a
    command that becomes the one that it is given, such as `env`."""
    port, metrics = free_port(), free_port()
    ports = ["--port", str(port), "--metrics-port", str(metrics)]
    process = subprocess.Popen(
        [*under, sys.executable, "-m", "serve_app.start", profile, *ports],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Service(process, f"http://127.0.0.1:{port}", f"127.0.0.1:{metrics}")
    try:
        _wait_for_start(running, log)
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _wait_for_start(running: Service, log: IO[str]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if running.process.poll() is not None:
            raise RuntimeError(f"The service ended at its start:\n{Path(log.name).read_text()}")
        try:
            if httpx2.get(f"{running.url}/ready", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass  # nothing listens yet
        time.sleep(0.5)
    raise TimeoutError(f"The service did not start:\n{Path(log.name).read_text()}")


def _commands() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it ended meanwhile
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def _ancestors(process: int) -> Iterator[int]:
    while process > 1:
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return
        process = int(stat.rpartition(")")[2].split()[1])
        yield process
