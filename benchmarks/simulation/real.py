"""The same in small and for real: a graph whose recognizers sleep, two bursts, and no night."""

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measuring.recordings import clips
from benchmarks.measuring.tables import Cell, table
from benchmarks.systems.graph_client import PROFILE, GraphClient, running_graph

ENGINE = "sleeping:0.5,0.1"
MOST = 3
_BURST = 24
_QUIET_S = 25.0
_LOOK_S = 1.0

_ENVIRONMENT = {
    # Serve looks, and replicas report, several times within a burst of a few seconds.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAYSCRIBE_AUTOSCALING__WANTED_WAIT_S": "3",
    # The bursts are all let in, however slow this machine is.
    "RAYSCRIBE_ADMISSION__ALWAYS_S": "100000",
}


def show() -> list[list[Cell]]:
    """Replicas by time while two bursts of clips come. Raises NoSpeech."""
    load = [clip.path for clip in clips(_BURST)]
    with tempfile.TemporaryDirectory(prefix="rayscribe-bursts-") as folder:
        profile = Path(folder) / "profile.yaml"
        profile.write_text(yaml.safe_dump(_profile()))
        with running_graph(profile, _ENVIRONMENT) as graph:
            rows = _watched(graph, load)
    print(table(["second", "recognizers", "recordings on their way", "answered"], rows))
    return rows


def _profile() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(PROFILE).read_text())
    application = content["applications"][0]
    application["args"]["recognition"]["model"] = ENGINE
    for deployment in application["deployments"]:
        if deployment["name"] == "SpeechRecognizer":
            del deployment["num_replicas"]
            deployment["ray_actor_options"]["num_cpus"] = 0.1
            deployment["max_ongoing_requests"] = 8
            deployment["autoscaling_config"] = {
                "min_replicas": 0,
                "max_replicas": MOST,
                "initial_replicas": 0,
                "policy": {"policy_function": "deployments.autoscaling:by_seconds"},
                "metrics_interval_s": 1,
                "look_back_period_s": 2,
                "upscale_delay_s": 1,
                "downscale_delay_s": 5,
            }
    return content


def _watched(graph: GraphClient, load: list[Path]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    answered: list[int] = []
    sent = 0
    ended = threading.Event()

    def look() -> None:
        began = time.monotonic()
        while not ended.wait(_LOOK_S):
            row: list[Cell] = [
                len(graph.service.replicas("SpeechRecognizer")),
                sent - len(answered),
                len(answered),
            ]
            if not rows or rows[-1][1:] != row:
                rows.append([round(time.monotonic() - began), *row])

    watching = threading.Thread(target=look)
    watching.start()
    try:
        with ThreadPoolExecutor(_BURST) as pool:
            for _ in range(2):
                sent += len(load)
                answers = pool.map(lambda path: graph.upload(path).status_code, load)
                answered += answers  # one by one: the list grows as they come
                time.sleep(_QUIET_S)
    finally:
        ended.set()
        watching.join()
    if set(answered) != {200}:
        raise RuntimeError(f"Not all were answered: {sorted(set(answered))}")
    return rows
