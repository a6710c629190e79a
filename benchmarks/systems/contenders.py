"""Who takes part in a comparison, each by the name that a command line gives it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from benchmarks.measuring.memory import PeakMemory, of_tree
from benchmarks.measuring.recordings import clips
from benchmarks.systems.graph_client import PROFILE, GraphClient, running_graph
from benchmarks.systems.worker import Run, Worker


class Running(Protocol):
    """A contender that is loaded and warm."""

    def prepare(self, paths: list[Path]) -> None: ...
    def run(self, paths: list[Path], clients: int = 1) -> Run: ...


@dataclass(frozen=True, slots=True)
class Contender:
    """`ours` tells Rayscribe from its peers. `start` is entered for each run anew, so that
    nobody's idle processes slow another down."""

    name: str
    title: str
    ours: bool
    start: Callable[[], AbstractContextManager[Running]]


class RunningGraph:
    """The graph over HTTP as a contender."""

    def __init__(self, client: GraphClient) -> None:
        self.client = client

    def prepare(self, paths: list[Path]) -> None:
        """The graph is sent the files as they are."""

    def run(self, paths: list[Path], clients: int = 1) -> Run:
        with PeakMemory(self.process) as peak, ThreadPoolExecutor(clients) as pool:
            began = perf_counter()
            answers = list(
                pool.map(lambda path: self.client.transcribe(path, language="en"), paths)
            )
            took = perf_counter() - began
        return Run(took, [answer["text"] for answer in answers], peak.bytes)

    @property
    def process(self) -> int:
        return self.client.service.process.pid

    @property
    def memory(self) -> int:
        """Bytes that the graph holds right now."""
        return of_tree(self.process)


@contextmanager
def graph(profile: Path | str = PROFILE, **env: str) -> Iterator[RunningGraph]:
    """The graph, started and warmed up by a clip."""
    with running_graph(profile, env) as client:
        running = RunningGraph(client)
        running.run([clip.path for clip in clips(2)], 2)
        yield running


@contextmanager
def _worker(kind: str, **options: Any) -> Iterator[Running]:
    with Worker(kind, **options) as worker:
        first = [clips(1)[0].path]
        worker.prepare(first)
        worker.run(first)
        yield worker


def _of(kind: str, **options: Any) -> Callable[[], AbstractContextManager[Running]]:
    return lambda: _worker(kind, **options)


def _faster_whisper(compute: str, **options: Any) -> Callable[[], AbstractContextManager[Running]]:
    return _of("faster-whisper", compute=compute, **options)


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("rayscribe", "Rayscribe, HTTP on a running graph", True, graph),
        Contender(
            "rayscribe-float32",
            "Rayscribe, HTTP on a running graph, float32",
            True,
            lambda: graph(RAYSCRIBE_RECOGNITION__DTYPE="float32"),
        ),
        Contender(
            "in-process", "Rayscribe, the same stages in one process", True, _of("in-process")
        ),
        Contender("engine", "Rayscribe, engine alone (windows cut before)", True, _of("engine")),
        Contender(
            "engine-float32",
            "Rayscribe, engine alone, float32",
            True,
            _of("engine", dtype="float32"),
        ),
        Contender("fw-int8", "faster-whisper sequential, int8", False, _faster_whisper("int8")),
        Contender(
            "fw-float32", "faster-whisper sequential, float32", False, _faster_whisper("float32")
        ),
        Contender(
            "fw-workers-int8",
            "faster-whisper sequential, int8, a worker a core",
            False,
            _faster_whisper("int8", workers=2),
        ),
        Contender(
            "fw-workers-float32",
            "faster-whisper sequential, float32, a worker a core",
            False,
            _faster_whisper("float32", workers=2),
        ),
        Contender(
            "fw-batched-int8",
            "faster-whisper batched (8), int8",
            False,
            _faster_whisper("int8", batch=8),
        ),
        Contender(
            "fw-batched-float32",
            "faster-whisper batched (8), float32",
            False,
            _faster_whisper("float32", batch=8),
        ),
        Contender("transformers", "transformers, chunks of 30 s", False, _of("transformers")),
    )
}
