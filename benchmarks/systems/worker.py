"""A system in a process of its own: one JSON object a line in, one out.

`python -m benchmarks.systems.worker KIND OPTIONS` is started by `Worker` and not by hand.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from benchmarks.measuring.memory import PeakMemory

ROOT = Path(__file__).parents[2]


class WorkerFailed(Exception):
    """The process of a system ended. The message has the last lines that it wrote."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run: wall seconds, texts, and the most memory held, in bytes."""

    seconds: float
    texts: list[str]
    memory: int


class Worker:
    """Starts a system inside a `with`, loaded and warmed up, and ends it afterwards."""

    def __init__(self, kind: str, **options: Any) -> None:
        self._command = [
            sys.executable,
            "-m",
            "benchmarks.systems.worker",
            kind,
            json.dumps(options),
        ]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("BENCH_DEBUG") else None,
            text=True,
        )
        self._answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._running
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def prepare(self, paths: list[Path]) -> None:
        """Do what does not count for these recordings."""
        self._ask("prepare", paths, 1)

    def run(self, paths: list[Path], clients: int = 1) -> Run:
        """Transcribe recordings. Raises WorkerFailed."""
        with PeakMemory(self._running.pid) as peak:
            answer = self._ask("run", paths, clients)
        return Run(answer["seconds"], answer["texts"], peak.bytes)

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("The worker has not been started.")
        return self._process

    def _ask(self, call: str, paths: list[Path], clients: int) -> dict[str, Any]:
        stdin = self._running.stdin
        assert stdin is not None
        question = {"call": call, "paths": [str(path) for path in paths], "clients": clients}
        try:
            stdin.write(json.dumps(question) + "\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # the answer that does not come says so
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        stdout = self._running.stdout
        assert stdout is not None
        line = stdout.readline()
        if not line:
            shown = " ".join(self._command[3:])
            raise WorkerFailed(
                f"The process of {shown} ended with {self._running.wait()}. What it wrote is "
                "shown where BENCH_DEBUG=1 is set."
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer


def main() -> None:
    answers = _private_output()
    kind, options = sys.argv[1:]
    # Heavy, and of no use to the process that starts this one.
    from benchmarks.systems.kinds import KINDS  # noqa: PLC0415
    from benchmarks.systems.system import CannotTakePart  # noqa: PLC0415

    try:
        system = KINDS[kind](**json.loads(options))
    except CannotTakePart as error:
        _write(answers, {"error": str(error)})
        return
    _write(answers, {"ready": True})
    for line in sys.stdin:
        question = json.loads(line)
        paths = [Path(path) for path in question["paths"]]
        if question["call"] == "prepare":
            system.prepare(paths)
            _write(answers, {"ready": True})
            continue
        began = time.perf_counter()
        texts = system.run(paths, question["clients"])
        _write(answers, {"seconds": time.perf_counter() - began, "texts": texts})
    # Threads of an engine would hold the interpreter up, and nothing is left to save.
    os._exit(0)


def _private_output() -> IO[str]:
    """Standard output for answers alone: what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _write(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
