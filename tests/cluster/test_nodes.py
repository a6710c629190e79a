"""Three Ray nodes: one recording on all of them, one that loses its power, one that is drained.

The recognizers sleep, so that there is time for it.
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from benchmarks.measuring.recordings import repeated
from tests.support.nodes import Nodes, nodes
from tests.support.speech import SAMPLE

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


def windows_of(cluster: Nodes) -> int:
    return len(re.findall(r"Window \d+\.", transcribe(cluster, recording_of(cluster)).text))


def recording_of(cluster: Nodes) -> Path:
    raise AssertionError(cluster)
