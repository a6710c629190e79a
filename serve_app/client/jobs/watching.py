"""Handing a job in, and following it to its end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from serve_app.client import uploads
from serve_app.client.failures import ServiceFailure
from serve_app.client.jobs.api import JobClient, JobEvent, JobObject, failure_of_job
from serve_app.client.output import tell
from serve_app.client.progress import Board
from serve_app.client.recordings import Recording


def submitted(
    client: JobClient, recording: Recording, options: Mapping[str, Any], key: str | None
) -> JobObject:
    """The job, once the service has taken it. Raises ServiceFailure, and OSError for a file."""
    source = recording.source
    if not isinstance(source, Path):
        return client.submit(source, options, key=key)
    with (
        Board() as board,
        board.line(recording.shown, uploads.size(source), stage="uploading") as line,
    ):
        return client.submit(source, options, key=key, on_upload=line.uploaded)


def follow(client: JobClient, job: JobObject, *, print_segments: bool = False) -> JobObject:
    """The job once it has ended; progress meanwhile, if a person is looking."""
    speakers = job["options"]["speakers"]
    with Board() as board, board.line(job["name"], stage="waiting", speakers=speakers) as shown:
        for event in client.events(job["id"]):
            match event:
                case JobEvent("progress", data):
                    shown.recognized({**data, "total": data["duration"]})
                case JobEvent("segment", data):
                    if print_segments:
                        board.write(line(data))
                case _:
                    return event.data
    raise AssertionError("the events of a job end with its status")


def conclude(job: JobObject) -> None:
    """Say what is missing of an ended job's transcript. Raises ServiceFailure where all is."""
    if (failure := failure_of_job(job)) is not None:
        raise failure
    tell((job.get("quality") or {}).get("notes", []))


@contextmanager
def not_forgotten(job_id: str) -> Iterator[None]:
    """Say how to come back to a job that goes on without us."""
    try:
        yield
    except (KeyboardInterrupt, ServiceFailure, OSError):
        typer.echo(f"rayscribe: this was job {job_id}; see rayscribe jobs get {job_id}", err=True)
        raise


def line(segment: Mapping[str, Any]) -> str:
    """A segment with its times, and with its speaker where that is known."""
    speaker = segment.get("speaker")
    said = f"{speaker}: {segment['text'].strip()}" if speaker else segment["text"].strip()
    return f"[{_clock(segment['start'])} - {_clock(segment['end'])}] {said}"


def _clock(seconds: float) -> str:
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{tenths / 10:04.1f}"
