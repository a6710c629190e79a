"""Three Ray nodes: one recording on all of them, one that loses its power, one that is drained.

The recognizers sleep, so that there is time for it.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from benchmarks.measuring.recordings import repeated
from tests.support.recordings.speech import SAMPLE
from tests.support.running.nodes import Nodes, nodes

_PATIENCE_S = 150


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with (tmp_path_factory.mktemp("nodes") / "log").open("w") as log, nodes(log) as running:
        yield running


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes, some thirty windows of at most 10 s."""
    return repeated(SAMPLE, 10, tmp_path_factory.mktemp("recording") / "long.mkv")


def until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.3)
    raise TimeoutError(f"{what}: not within {_PATIENCE_S} s.")


def transcribe(cluster: Nodes, recording: Path) -> httpx2.Response:
    with cluster.client() as client, recording.open("rb") as file:
        return client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "text"},
            files={"file": file},
        )


def recognizers(cluster: Nodes) -> list[str]:
    return cluster.placed()["SpeechRecognizer"]


def everywhere(cluster: Nodes) -> bool:
    """Whether there is a recognizer on each of three nodes."""
    return len(set(recognizers(cluster))) == 3


def inhabited(cluster: Nodes) -> set[str]:
    """The nodes that have a replica of whatever kind."""
    return {node for placed in cluster.placed().values() for node in placed}


def windows(text: str) -> list[int]:
    """What the sleeping engine says of each window, in the transcript's order."""
    return [int(number) for number in re.findall(r"Window\s+(\d+)\.", text)]


def at_work(cluster: Nodes) -> set[str]:
    """The recognizers that have had windows, by Ray's names for their replicas."""
    found = set()
    for port in cluster.metrics:
        try:
            text = httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        except httpx2.TransportError:
            continue  # a node that is gone
        counts = re.findall(r"^ray_rayscribe_recognition_windows_total\{(.*)\} (\S+)", text, re.M)
        for labels, count in counts:
            if float(count) > 0 and (replica := re.search(r'replica="([^"]+)"', labels)):
                found.add(replica[1])
    return found


def test_one_recording_is_worked_on_by_all_nodes(cluster: Nodes, recording: Path) -> None:
    until(lambda: everywhere(cluster), "A recognizer on each node")
    answer = transcribe(cluster, recording)
    assert answer.status_code == 200
    found = windows(answer.text)
    assert len(found) >= 30
    assert found == list(range(len(found)))
    assert (
        len(until(lambda: len(at_work(cluster)) == 3 and at_work(cluster), "Figures of all")) == 3
    )


def test_jobs_survive_a_node_that_loses_its_power(cluster: Nodes, recording: Path) -> None:
    until(lambda: everywhere(cluster), "A recognizer on each node")
    undisturbed = windows(transcribe(cluster, recording).text)
    with cluster.client() as client:
        jobs = [submitted(client, recording) for _ in range(4)]
        until(lambda: all(state(client, job)["windows"] for job in jobs), "Windows of all jobs")
        lost = next(node for node in recognizers(cluster) if node != "head")
        cluster.kill(lost)
        until(lambda: all(ended(state(client, job)) for job in jobs), "The end of all jobs")
        assert [state(client, job)["status"] for job in jobs] == ["completed"] * 4
        for job in jobs:
            text = client.get(f"/v1/jobs/{job}/transcript", params={"format": "txt"}).text
            assert windows(text) == undisturbed
    assert lost not in recognizers(cluster)
    cluster.add()
    until(lambda: everywhere(cluster), "A recognizer on the new node")


def test_a_node_that_is_drained_finishes_what_it_has(cluster: Nodes, recording: Path) -> None:
    until(lambda: everywhere(cluster), "A recognizer on each node")
    leaving = next(node for node in recognizers(cluster) if node != "head")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(transcribe, cluster, recording)
        cluster.add()  # where the autoscaler would add a pod
        cluster.drain(leaving)
        until(lambda: leaving not in inhabited(cluster), "An empty node")
        answer = asked.result()
    assert answer.status_code == 200
    found = windows(answer.text)
    assert found == list(range(len(found)))
    until(lambda: everywhere(cluster), "A recognizer on each of the others")
    assert transcribe(cluster, recording).status_code == 200


def submitted(client: httpx2.Client, recording: Path) -> str:
    with recording.open("rb") as file:
        answer = client.post("/v1/jobs", files={"file": file})
    assert answer.status_code < 300, answer.text
    return str(answer.json()["id"])


def state(client: httpx2.Client, job: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
    return answer


def ended(job: dict[str, Any]) -> bool:
    return job["status"] in {"completed", "failed", "cancelled"}
