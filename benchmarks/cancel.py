"""How soon does cancelled work stop? `python -m benchmarks.cancel`.

A job is cancelled, and a synchronous client goes away, while one stage of the graph works for
it. The processor time of that stage's replica tells when it stopped; in a download it is the
remote server, which sees its connection close.
"""

import http.client
import json
import os
import tempfile
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from benchmarks.measuring import results
from benchmarks.measuring.recordings import repeated
from benchmarks.measuring.tables import table
from benchmarks.systems.graph_client import GraphClient, running_graph
from interchange.stages import SAMPLE_RATE
from tests.support.recordings.speech import SAMPLE
from tests.support.running.remote import RemoteServer, remote_server
from tests.support.running.service import Service

LIMIT_S = 2.0

_INTO_S = 1.5
"""So long the stage works before it is stopped: until its batches are full."""

_PATIENCE_S = 120.0
_LOOK_S = 0.02
_SPAN_S = 0.4
_BUSY, _IDLE = 0.3, 0.1
"""Share of a core over _SPAN_S from which on a replica works, and below which it rests."""

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Work(Protocol):
    """What one stage does for a request."""

    def wait_until_begun(self) -> None: ...

    def wait_until_stopped(self) -> float:
        """When it stopped, by the monotonic clock."""
        ...


class Replica:
    """A stage at work, by the processor time of its one replica."""

    def __init__(self, service: Service, deployment: str) -> None:
        (self._process,) = service.replicas(deployment)

    def wait_until_begun(self) -> None:
        _wait(lambda: self._share() >= _BUSY)

    def wait_until_stopped(self) -> float:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            began = time.monotonic()
            if self._share() < _IDLE:
                return began
        raise TimeoutError(f"The replica worked on for {_PATIENCE_S:g} s.")

    def _share(self) -> float:
        """The share of a core that it uses for the next _SPAN_S; less if it begins to work."""
        began, before = time.monotonic(), self._used()
        while (passed := time.monotonic() - began) < _SPAN_S:
            if (share := (self._used() - before) / _SPAN_S) >= _BUSY:
                return share
            time.sleep(_LOOK_S)
        return (self._used() - before) / passed

    def _used(self) -> float:
        stat = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) * _TICK_S


class Download:
    """A download, by the remote server."""

    def __init__(self, remote: RemoteServer) -> None:
        self._remote = remote
        self._asked = len(remote.requests)
        self._left = len(remote.left)

    def wait_until_begun(self) -> None:
        _wait(lambda: len(self._remote.requests) > self._asked)

    def wait_until_stopped(self) -> float:
        _wait(lambda: len(self._remote.left) > self._left)
        return self._remote.left[self._left]


@dataclass(frozen=True, slots=True)
class Case:
    """`begin` looks at the stage that is to work on the recording at `url`."""

    name: str
    url: str
    begin: Callable[[], Work]
    speakers: bool = False


def cancel_job(graph: GraphClient, case: Case) -> float:
    """Seconds from the request to cancel until the stage stopped."""
    work = case.begin()
    body = {"url": case.url, "speakers": case.speakers, "language": "en"}
    path = graph.http.post("/v1/jobs", json=body).headers["location"]
    work.wait_until_begun()
    time.sleep(_INTO_S)
    began = time.monotonic()
    graph.http.post(f"{path}/cancel").raise_for_status()
    return work.wait_until_stopped() - began


def leave(graph: GraphClient, case: Case) -> float:
    """Seconds from the end of a client's connection until the stage stopped."""
    work = case.begin()
    body = {"url": case.url, "diarise_audio": case.speakers, "language": "en"}
    address = graph.http.base_url
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.request("POST", "/", json.dumps(body), headers={"Content-Type": "application/json"})
    work.wait_until_begun()
    time.sleep(_INTO_S)
    began = time.monotonic()
    connection.close()
    return work.wait_until_stopped() - began


def _wait(look: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not look():
        if time.monotonic() > until:
            raise TimeoutError(f"Nothing happened for {_PATIENCE_S:g} s.")
        time.sleep(_LOOK_S)


def _silence(path: Path, hours: float) -> Path:
    with wave.open(str(path), "wb") as output:
        output.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        for _ in range(round(60 * hours)):
            output.writeframes(bytes(2 * SAMPLE_RATE * 60))
    return path


def main(repeats: Annotated[int, typer.Option(min=1, help="Of each measurement.")] = 3) -> None:
    """Print the seconds from a cancel until each stage has stopped."""
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as name:
        folder = Path(name)
        silent = _silence(folder / "silence.wav", hours=3)
        talk = repeated(SAMPLE, 20, folder / "talk.mkv")
        with remote_server(folder) as remote, running_graph() as graph:
            cases = _cases(graph.service, remote, remote.file(silent), remote.file(talk))
            found: dict[str, dict[str, list[float]]] = {
                case.name: {
                    "cancelled": [cancel_job(graph, case) for _ in range(repeats)],
                    "left": [leave(graph, case) for _ in range(repeats)],
                }
                for case in cases
            }
    _report(found)
    typer.echo(f"Written to {results.write('cancel', {'seconds': found})}")


def _cases(service: Service, remote: RemoteServer, silent: str, talk: str) -> list[Case]:
    return [
        Case("download", f"{remote.url}/trickle", lambda: Download(remote)),
        Case("decoding and voice activity", silent, lambda: Replica(service, "AudioLoader")),
        Case("recognition", talk, lambda: Replica(service, "SpeechRecognizer")),
        Case("diarization", talk, lambda: Replica(service, "SpeakerDiarizer"), speakers=True),
    ]


def _report(found: Mapping[str, Mapping[str, list[float]]]) -> None:
    rows: list[list[Any]] = [
        [stage, *(figure for each in ways.values() for figure in (min(each), max(each)))]
        for stage, ways in found.items()
    ]
    headings = ["stage", "job cancelled, least", "most", "client gone, least", "most"]
    typer.echo("Seconds until the stage stopped:\n\n" + table(headings, rows))
    typer.echo(f"\nAsked for are {LIMIT_S:g} s, besides the step in flight.")


if __name__ == "__main__":
    typer.run(main)
