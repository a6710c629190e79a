"""The driver of several nodes, started by `nodes` and not by hand: it does what the lines of its
standard input ask for, and answers each by one of JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.cluster_utils import Cluster
from ray.serve.schema import ServeDeploySchema

from serve_app import start
from tests.support.running.service import free_port

PER_WINDOW_S = 0.5

_CPUS = 4.0
"""Of each node: a recognizer takes 3, and all others together have room beside three of them."""

_HEAD = "head"
"""A resource of the head alone, which nobody kills: the ingress has to be there."""


def profile(folder: str, port: int) -> dict[str, Any]:
    def stage(name: str, replicas: int, cpus: float, **resources: float) -> dict[str, Any]:
        return {
            "name": name,
            "num_replicas": replicas,
            "max_ongoing_requests": 512,
            "max_queued_requests": 16384,
            "health_check_period_s": 10,
            "health_check_timeout_s": 60,
            "graceful_shutdown_wait_loop_s": 0.5,
            "graceful_shutdown_timeout_s": 60,
            "ray_actor_options": {"num_cpus": cpus, "resources": resources},
        }

    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": "127.0.0.1", "port": port, "request_timeout_s": None},
        "applications": [
            {
                "name": "rayscribe",
                "route_prefix": "/",
                "import_path": "serve_app.app:build",
                "args": {
                    "recognition": {"model": f"sleeping:{PER_WINDOW_S}", "device": "cpu"},
                    "diarization": {"device": "cpu", "threads": 1},
                    "audio": {"window_s": 10},
                    "windows_in_flight": 12,
                    "storage": f"file://{folder}/storage",
                    "jobs": {
                        "database_url": f"sqlite:///{folder}/jobs.sqlite",
                        "lease_s": 5,
                        "retry_delay_s": 1,
                        "concurrency": 16,
                    },
                },
                "deployments": [
                    stage("Ingress", 1, 0.1, **{_HEAD: 0.1}),
                    stage("AudioLoader", 1, 0.1),
                    stage("SpeechRecognizer", 3, 3),
                    stage("SpeakerDiarizer", 1, 0.1, **{_HEAD: 0.1}),
                    stage("JobManager", 2, 0.1),
                ],
            }
        ],
    }


class Driver:
    def __init__(self, folder: str, port: int) -> None:
        self._ports = [free_port()]
        head = {
            "num_cpus": _CPUS,
            "resources": {_HEAD: 1.0},
            "include_dashboard": False,
            "metrics_export_port": self._ports[0],
        }
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._members: dict[str, Any] = {}
        for _ in range(2):
            self.add()
        ray.init(address=self._cluster.address, namespace="serve", log_to_driver=False)
        start.deploy(ServeDeploySchema.model_validate(profile(folder, port)))

    def add(self) -> None:
        self._ports.append(free_port())
        member = self._cluster.add_node(num_cpus=_CPUS, metrics_export_port=self._ports[-1])
        self._members[member.node_id] = member

    def metrics(self) -> list[int]:
        return self._ports

    def placed(self) -> dict[str, list[str]]:
        """The nodes of the running replicas by deployment; `head` for the head."""
        # There is no public name for what the dashboard shows.
        details = serve.context._get_global_client().get_serve_details()
        return {
            name: sorted(
                replica["node_id"] if replica["node_id"] in self._members else _HEAD
                for replica in deployment["replicas"]
                if replica["state"] == "RUNNING"
            )
            for name, deployment in details["applications"]["rayscribe"]["deployments"].items()
        }

    def kill(self, node: str) -> None:
        self._cluster.remove_node(self._members.pop(node), allow_graceful=False)

    def drain(self, node: str) -> None:
        """By the command of the pods (configs/kuberay/base/rayservice.yaml)."""
        command = [str(Path(sys.executable).with_name("ray")), "drain-node"]
        where = ["--address", self._cluster.address, "--node-id", node]
        why = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "It stops."]
        deadline = ["--deadline-remaining-seconds", "330"]
        subprocess.run([*command, *where, *why, *deadline], check=True)

    def stop(self) -> None:
        ray.shutdown()
        self._cluster.shutdown()


def main(folder: str, port: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints goes to the log

    def answer(what: Any) -> None:
        answers.write(json.dumps({"answer": what}) + "\n")
        answers.flush()

    driver = Driver(folder, int(port))
    try:
        answer("ready")
        for line in sys.stdin:
            word, *rest = line.split()
            answer(getattr(driver, word)(*rest))
    finally:
        driver.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
