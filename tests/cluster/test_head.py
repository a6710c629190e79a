"""The head of a cluster is killed by force, and comes back with what its Redis kept."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest

from benchmarks.measuring.recordings import repeated
from tests.support.cluster import ended, state, submitted, transcribe, until, windows
from tests.support.recordings.speech import SAMPLE
from tests.support.running.head import Headed, headed
from tests.support.running.redis import server

pytestmark = pytest.mark.skipif(
    server() is None,
    reason="no valkey-server or redis-server on the PATH; `make cluster` installs one",
)

_JOBS = 4

Answer = TypeVar("Answer")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headed]:
    with (tmp_path_factory.mktemp("head") / "log").open("w") as log, headed(log) as running:
        yield running


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repeated(SAMPLE, 20, tmp_path_factory.mktemp("recording") / "long.mkv")


def asked(call: Callable[[], Answer]) -> Answer:
    """The answer, asked for again where the head's own proxy took the connection with it."""
    while True:
        try:
            return call()
        except httpx2.TransportError:
            time.sleep(0.5)


def done(cluster: Headed, jobs: list[str]) -> list[int]:
    """How many windows of each are done."""
    with cluster.client() as client:
        states = asked(lambda: [state(client, job) for job in jobs])
    return [int(each["windows"]) for each in states]


def test_work_goes_on_without_the_head_and_the_next_one_takes_over(
    cluster: Headed, recording: Path
) -> None:
    before = cluster.replicas()
    undisturbed = windows(transcribe(cluster, recording).text)
    with cluster.client() as client:
        jobs = [submitted(client, recording) for _ in range(_JOBS)]
    until(lambda: all(done(cluster, jobs)), "Windows of all jobs")

    assert cluster.kill_head() > 3
    without = done(cluster, jobs)
    # Whoever asks meanwhile is answered, and jobs go on.
    assert windows(asked(lambda: transcribe(cluster, recording)).text) == undisturbed
    assert sum(done(cluster, jobs)) > sum(without)

    cluster.start_head()
    # The replicas are those of before: none was started anew.
    until(lambda: cluster.replicas() == before, "The same replicas under the new head")
    with cluster.client() as client:
        until(lambda: all(ended(state(client, job)) for job in jobs), "The end of all jobs")
        assert [state(client, job)["status"] for job in jobs] == ["completed"] * _JOBS
        for job in jobs:
            text = client.get(f"/v1/jobs/{job}/transcript", params={"format": "txt"}).text
            assert windows(text) == undisturbed
        until(lambda: client.get("/ready").status_code == 200, "Readiness")

    # What no head saw to meanwhile, the new one does: a replica that dies is replaced.
    lost = cluster.recognizers().pop()
    os.kill(lost, signal.SIGKILL)
    until(lambda: len(cluster.recognizers() - {lost}) == 2, "Another recognizer")
    until(
        lambda: windows(asked(lambda: transcribe(cluster, recording)).text) == undisturbed,
        "An answer by the new one",
    )
