"""Nodes as `ray start` makes them, in processes of their own: their head can die and come back."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import httpx2

from tests.support.running.redis import redis
from tests.support.running.service import ROOT, Service, free_port

_CPUS = 4
_PATIENCE_S = 600

_RAY = """
from ray.scripts.scripts import main
from serve_app.start import stay_on_loopback
stay_on_loopback()
main()
"""
"""The command `ray`, whose ports no other machine reaches."""


class Headed:
    """A head without models and two nodes, whose head keeps its state in a Redis."""

    def __init__(self, folder: Path, store: tuple[str, str], log: IO[str]) -> None:
        self._folder, self._log = folder, log
        address, self._password = store
        env = {
            "RAY_REDIS_ADDRESS": address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            # As KubeRay has it: so long do nodes wait for a head that is gone.
            "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
            # Time decides no test.
            "RAY_raylet_start_wait_time_s": "300",
            "RAY_agent_register_timeout_ms": "300000",
        }
        self._env = {**os.environ, **env}
        self._gcs, self._http = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._http}"
        self._nodes: list[Service] = []
        self.start_head()

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=_PATIENCE_S)

    def start_head(self) -> None:
        """A head at the address of the one before, and with its state if there was one."""
        options = [f"--port={self._gcs}", "--include-dashboard=false"]
        options += [f"--redis-password={self._password}", f"--temp-dir={self._folder}"]
        self._head = self._start("--head", *options)

    def kill_head(self) -> int:
        """Every process of the head by `kill -9`; returns how many there were."""
        killed = self._head.kill_everything()
        # Another machine, as the next head's would be, has no note of this one.
        (self._folder / "ray_current_cluster").unlink(missing_ok=True)
        return killed

    def add(self) -> None:
        self._nodes.append(self._start(f"--address=127.0.0.1:{self._gcs}"))

    def deploy(self) -> None:
        self._ask("deploy", str(self._folder), str(self._http))

    def replicas(self) -> dict[str, list[str]]:
        """The ids of the running replicas of each deployment, as the controller has them."""
        found: dict[str, list[str]] = self._ask("replicas")
        return found

    def recognizers(self) -> set[int]:
        """Their process ids."""
        found = [node.replicas("SpeechRecognizer") for node in self._nodes]
        return set().union(*found)

    def stop(self) -> None:
        for node in (*self._nodes, self._head):
            node.kill_everything()

    def _start(self, *options: str) -> Service:
        # Ports of workers are any that are free: there are several nodes at this address.
        ports = ["--min-worker-port=0", "--max-worker-port=0"]
        ports += [f"--dashboard-agent-listen-port={free_port()}"]
        memory = f"--object-store-memory={150 * 2**20}"
        cpus = f"--num-cpus={0 if '--head' in options else _CPUS}"
        where = ["--node-ip-address=127.0.0.1", "--block", "--disable-usage-stats"]
        said = self._folder / f"said-{free_port()}"
        with said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", _RAY, "start", *options, *where, cpus, memory, *ports],
                cwd=ROOT,
                env=self._env,
                stdout=output,
                stderr=self._log,
                text=True,
            )
        node = Service(process, "", "")
        try:
            self._wait_for(node, said)
        except BaseException:
            node.kill_everything()
            raise
        return node

    def _wait_for(self, node: Service, said: Path) -> None:
        until = time.monotonic() + _PATIENCE_S
        while "Ray runtime started" not in said.read_text():
            if node.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"A node did not start:\n{said.read_text()}")
            time.sleep(0.2)

    def _ask(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.running.head_driver", *words],
            cwd=ROOT,
            env={**self._env, "RAY_ADDRESS": f"127.0.0.1:{self._gcs}"},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def headed(log: IO[str]) -> Iterator[Headed]:
    """The nodes with the graph on them; what they print goes to `log`."""
    # Short, as the paths of sockets are limited to a hundred characters.
    with tempfile.TemporaryDirectory(prefix="rsh-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with redis(folder, log) as store:
            nodes = Headed(folder, store, log)
            try:
                for _ in range(2):
                    nodes.add()
                nodes.deploy()
                yield nodes
            finally:
                with suppress(ProcessLookupError):
                    nodes.stop()
