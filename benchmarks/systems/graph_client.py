"""Rayscribe as a client sees it: a running graph, asked over HTTP."""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.running.service import START_S, Service, service

PROFILE = "configs/cpu.yaml"

_TIMEOUT_S = 3600


class RequestFailed(Exception):
    """The graph answered with an error. The message has its sentence."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """A transcription by events: seconds from the request to the first words, and to the end."""

    first_words_s: float
    total_s: float
    text: str


class GraphClient:
    """Sends recordings to a graph. Any number of threads may use one client."""

    def __init__(self, running: Service) -> None:
        self.service = running
        self.http = httpx2.Client(
            base_url=running.url,
            timeout=_TIMEOUT_S,
            limits=httpx2.Limits(max_connections=None),
        )

    def upload(self, path: Path, **form: str) -> httpx2.Response:
        """The response to an uploaded recording, whatever its status."""
        with path.open("rb") as file:
            return self.http.post(
                "/v1/audio/transcriptions",
                data={"model": "whisper-1", "response_format": "verbose_json", **form},
                files={"file": (path.name, file)},
            )

    def by_url(self, url: str, **form: str) -> httpx2.Response:
        """The response to a recording that the graph is to fetch."""
        return self.http.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "verbose_json", "url": url, **form},
        )

    def transcribe(self, path: Path, **form: str) -> dict[str, Any]:
        """The answer in `verbose_json`. Raises RequestFailed."""
        response = self.upload(path, **form)
        if response.status_code != 200:
            raise RequestFailed(f"{path.name}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer

    def stream(self, path: Path, **form: str) -> Streamed:
        """The answer by server-sent events. Raises RequestFailed."""
        began = time.monotonic()
        first: float | None = None
        text = ""
        with (
            path.open("rb") as file,
            self.http.stream(
                "POST",
                "/v1/audio/transcriptions",
                data={"model": "whisper-1", "stream": "true", **form},
                files={"file": (path.name, file)},
            ) as response,
        ):
            if response.status_code != 200:
                response.read()
                raise RequestFailed(f"{path.name}: {response.status_code} {response.text}")
            for line in response.iter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                if event["type"] == "transcript.text.delta" and first is None:
                    first = time.monotonic() - began
                elif event["type"] == "transcript.text.done":
                    text = event["text"]
                elif "error" in event:
                    raise RequestFailed(f"{path.name}: {event['error']}")
        total = time.monotonic() - began
        return Streamed(total if first is None else first, total, text)


@contextmanager
def running_graph(
    profile: Path | str = PROFILE, env: Mapping[str, str] | None = None, *, start_s: float = START_S
) -> Iterator[GraphClient]:
    """Start a profile on a free port of loopback, and stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder:
        variables = {
            "RAYSCRIBE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "RAYSCRIBE_STORAGE": f"file://{folder}/storage",
            "RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{folder}/jobs.sqlite",
            **(env or {}),
        }
        log_path = Path(folder) / "log"
        with (
            log_path.open("w") as log,
            service(log, str(profile), variables, start_s=start_s) as running,
        ):
            client = GraphClient(running)
            try:
                yield client
            finally:
                client.http.close()
