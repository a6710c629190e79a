"""Many recordings with one service: several at once, each as a file in each format asked for."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serve_app.client import uploads
from serve_app.client.api import Client
from serve_app.client.failures import Busy, KeyRefused, NoService, ServiceFailure
from serve_app.client.formats import RESPONSE_FORMATS, Format
from serve_app.client.output import write
from serve_app.client.progress import Board, Line
from serve_app.client.recordings import Recording, distinct_names

_HOPELESS = (NoService, KeyRefused)
"""What the next recording would meet too."""

_BUSY_FOR_S = 3600.0
"""How long a service that is busy is asked again, in seconds."""

OUR_FAULT = 2
"""The exit code for a file that cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each recording. `options` are fields of the service's form."""

    options: Mapping[str, str | list[str]]
    translate: bool = False
    speakers: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A recording, and the file of each format."""

    recording: Recording
    targets: Mapping[Format, Path]

    def missing(self) -> dict[Format, Path]:
        return {name: path for name, path in self.targets.items() if not path.exists()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording: `kind` is done, skipped or failed; `notes` say what is missing
    of its transcript, or why there is none."""

    task: Task
    kind: str
    notes: list[str] = field(default_factory=list)
    exit_code: int = 0
    hopeless: bool = False


def tasks(found: Sequence[Recording], formats: Sequence[Format], folder: Path) -> list[Task]:
    """Each recording with its files in the folder: none has another's, none is a recording."""
    inside = folder.resolve()
    sources = [each.source.resolve() for each in found if isinstance(each.source, Path)]
    forbidden = {
        source.relative_to(inside).with_suffix("").as_posix().casefold()
        for source in sources
        if source.suffix.removeprefix(".") in formats and source.is_relative_to(inside)
    }
    names = distinct_names(found, forbidden)
    return [
        Task(recording, {each: folder / f"{name}.{each}" for each in formats})
        for recording, name in zip(found, names, strict=True)
    ]


def transcripts(
    client: Client, recording: Recording, formats: Sequence[Format], wanted: Wanted, line: Line
) -> tuple[dict[Format, Any], list[str]]:
    """The recording in each format, and what the service says is missing.

    Raises ServiceFailure, and OSError for the recording.
    """
    # Words are for JSON only, and the service gives them to the answer's own form.
    first = Format.JSON if Format.JSON in formats else formats[0]
    options = {
        **wanted.options,
        "response_format": RESPONSE_FORMATS[first],
        "outputs[]": [RESPONSE_FORMATS[each] for each in formats],
    }
    outputs: dict[str, Any] = {}
    notes: list[str] = []
    for event in client.transcribe(
        recording.source, translate=wanted.translate, options=options, on_upload=line.uploaded
    ):
        match event["type"]:
            case "transcript.progress":
                line.recognized(event)
            case "transcript.text.done":
                outputs, notes = event["outputs"], event.get("notes", [])
    return {each: outputs[RESPONSE_FORMATS[each]] for each in formats}, notes


class Work:
    """`at_once` recordings are with the service at the same time; `force` makes transcripts
    again that are there."""

    def __init__(self, client: Client, wanted: Wanted, *, at_once: int, force: bool) -> None:
        self._client = client
        self._wanted = wanted
        self._at_once = at_once
        self._force = force

    def run(self, todo: Sequence[Task]) -> int:
        """Work on all; a failure stops none but its own. Returns the first failure's exit code.

        Each recording gets one line on stderr, and all get one at the end.
        """
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        outcomes: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        for task in todo:
            waiting.put(task)
        stop = threading.Event()
        counts: Counter[str] = Counter()
        exit_code = 0
        with Board(len(todo)) as board:
            for _ in range(min(self._at_once, len(todo))):
                # Daemons, so that Ctrl-C need not wait for the service.
                arguments = (waiting, outcomes, board, stop)
                threading.Thread(target=self._worker, args=arguments, daemon=True).start()
            while counts.total() < len(todo):
                outcome = outcomes.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                counts[outcome.kind] += 1
                exit_code = exit_code or outcome.exit_code
                if outcome.hopeless:
                    stop.set()
                board.say(_sentence(outcome), counts.total())
                if stop.is_set():
                    break
            counts["not tried"] = len(todo) - counts.total()
            parts = [f"{number} {kind}" for kind, number in counts.items() if number]
            board.say(f"{len(todo)} recordings: {', '.join(parts)}.")
        return exit_code

    def _worker(
        self,
        waiting: "queue.SimpleQueue[Task]",
        outcomes: "queue.SimpleQueue[Outcome | BaseException]",
        board: Board,
        stop: threading.Event,
    ) -> None:
        while not stop.is_set():
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                outcomes.put(self._outcome(task, board, stop))
            except BaseException as fault:  # noqa: BLE001 - raised by the thread that waits for it
                outcomes.put(fault)

    def _outcome(self, task: Task, board: Board, stop: threading.Event) -> Outcome:
        try:
            targets = task.targets if self._force else task.missing()
            if not targets:
                return Outcome(task, "skipped")
            return Outcome(task, "done", self._transcribe(task, targets, board, stop))
        except ServiceFailure as failure:
            hopeless = isinstance(failure, _HOPELESS)
            return Outcome(task, "failed", [failure.message], failure.exit_code, hopeless)
        except OSError as error:
            return Outcome(task, "failed", [str(error)], OUR_FAULT)

    def _transcribe(
        self, task: Task, targets: Mapping[Format, Path], board: Board, stop: threading.Event
    ) -> list[str]:
        recording = task.recording
        source = recording.source
        until = time.monotonic() + _BUSY_FOR_S
        with board.line(
            recording.shown,
            uploads.size(source),
            speakers=self._wanted.speakers,
            stage="uploading" if isinstance(source, Path) else "loading",
        ) as line:
            while True:
                try:
                    answers, notes = transcripts(
                        self._client, recording, list(targets), self._wanted, line
                    )
                    break
                except Busy as busy:
                    again = source is not uploads.STDIN and time.monotonic() < until
                    if not again or stop.wait(busy.retry_after):
                        raise
            for name, path in targets.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                write(answers[name], path)
        return notes


def _sentence(outcome: Outcome) -> str:
    name = outcome.task.recording.shown
    first, *others = outcome.task.targets.values()
    files = ", ".join([str(first), *(other.suffix for other in others)])
    match outcome.kind:
        case "done":
            notes = "".join(f" {note}" for note in outcome.notes)
            return f"{name}: {files}{f' — note:{notes}' if notes else ''}"
        case "skipped":
            return f"{name}: skipped, as {files} is there; --force makes it again"
        case _:
            return f"{name}: failed. {' '.join(outcome.notes)}"
