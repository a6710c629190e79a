"""What tests ask of a graph on several nodes whose recognizers sleep."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx2

_PATIENCE_S = 300


class Asked(Protocol):
    def client(self) -> httpx2.Client: ...


def until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.3)
    raise TimeoutError(f"{what}: not within {_PATIENCE_S} s.")


def transcribe(cluster: Asked, recording: Path) -> httpx2.Response:
    with cluster.client() as client, recording.open("rb") as file:
        return client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "text"},
            files={"file": file},
        )


def windows(text: str) -> list[int]:
    """What the sleeping engine says of each window, in the transcript's order."""
    return [int(number) for number in re.findall(r"Window\s+(\d+)\.", text)]


def submitted(client: httpx2.Client, recording: Path) -> str:
    """The id of a job; handed in again, as the answer says, where the store was busy."""

    def handed_in() -> httpx2.Response | None:
        with recording.open("rb") as file:
            answer = client.post("/v1/jobs", files={"file": file})
        return None if answer.status_code == 503 else answer

    answer: httpx2.Response = until(handed_in, "A store that is not busy")
    assert answer.status_code < 300, answer.text
    return str(answer.json()["id"])


def state(client: httpx2.Client, job: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
    return answer


def ended(job: dict[str, Any]) -> bool:
    return job["status"] in {"completed", "failed", "cancelled"}
