"""Three Ray nodes: one recording on all of them, one that loses its power, one that is drained.

The recognizers sleep, so that there is time for it.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from benchmarks.measuring.recordings import repeated
from tests.support.cluster import ended, state, submitted, transcribe, until, windows
from tests.support.recordings.speech import SAMPLE
from tests.support.running.nodes import Nodes, nodes

JOBS = 30


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with (tmp_path_factory.mktemp("nodes") / "log").open("w") as log, nodes(log) as running:
        yield running


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes, some thirty windows of at most 10 s."""
    return repeated(SAMPLE, 10, tmp_path_factory.mktemp("recording") / "long.mkv")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half."""
    return repeated(SAMPLE, 3, tmp_path_factory.mktemp("clip") / "clip.mkv")


def recognizers(cluster: Nodes) -> list[str]:
    return cluster.placed()["SpeechRecognizer"]


def everywhere(cluster: Nodes) -> bool:
    """Whether there is a recognizer on each of three nodes."""
    return len(set(recognizers(cluster))) == 3


def inhabited(cluster: Nodes) -> set[str]:
    """The nodes that have a replica of whatever kind."""
    return {node for placed in cluster.placed().values() for node in placed}


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


def test_jobs_survive_a_node_that_loses_its_power(cluster: Nodes, clip: Path) -> None:
    until(lambda: everywhere(cluster), "A recognizer on each node")
    undisturbed = windows(transcribe(cluster, clip).text)
    with cluster.client() as client:
        jobs = [submitted(client, clip) for _ in range(JOBS)]
        until(lambda: sum(bool(state(client, job)["windows"]) for job in jobs) > 5, "Windows")
        lost = next(node for node in recognizers(cluster) if node != "head")
        cluster.kill(lost)
        assert not all(ended(state(client, job)) for job in jobs)
        until(lambda: all(ended(state(client, job)) for job in jobs), "The end of all jobs")
        assert [state(client, job)["status"] for job in jobs] == ["completed"] * JOBS
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
