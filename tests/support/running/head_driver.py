"""What is asked of nodes whose head may die, each by a process that ends then: see `head`."""

import json
import sys
from typing import Any

import ray
from ray import serve
from ray.serve.schema import ServeDeploySchema

from serve_app import start
from tests.support.running.nodes_driver import profile


def deploy(folder: str, port: str) -> str:
    """All of it on the nodes: the head has no room for replicas."""
    content = profile(folder, int(port))
    content["proxy_location"] = "EveryNode"
    (application,) = content["applications"]
    for stage in application["deployments"]:
        stage["ray_actor_options"]["resources"] = {}
        if stage["name"] == "Ingress":
            stage["num_replicas"] = 2
        if stage["name"] == "SpeechRecognizer":
            stage["num_replicas"] = 2
        if stage["name"] == "SpeakerDiarizer":  # nobody asks for speakers
            del stage["num_replicas"]
            stage["autoscaling_config"] = {"min_replicas": 0, "max_replicas": 1}
    start.deploy(ServeDeploySchema.model_validate(content))
    return "deployed"


def replicas() -> dict[str, list[str]]:
    # There is no public name for what the dashboard shows.
    details = serve.context._get_global_client().get_serve_details()
    return {
        name: sorted(
            replica["replica_id"]
            for replica in deployment["replicas"]
            if replica["state"] == "RUNNING"
        )
        for name, deployment in details["applications"]["rayscribe"]["deployments"].items()
    }


def main(word: str, *rest: str) -> None:
    start.stay_on_loopback()
    ray.init(namespace="serve", log_to_driver=False)
    commands: dict[str, Any] = {"deploy": deploy, "replicas": replicas}
    print(json.dumps(commands[word](*rest)))


if __name__ == "__main__":
    main(*sys.argv[1:])
