"""`rayscribe jobs`: work that goes on when this program ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from serve_app.client import shared
from serve_app.client.api import ServiceFailure
from serve_app.client.jobs_api import JobClient, JobEvent, JobObject, failure_of_job
from serve_app.client.shared import Format

app = typer.Typer(
    name="jobs",
    help="Work that goes on when this program ends, and survives the service.",
    no_args_is_help=True,
)


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, as `submit` printed it.")]


@app.command(epilog=shared.EPILOG)
def submit(  # noqa: PLR0917 - each is an option by name
    recording: shared.Recording,
    language: shared.Language = None,
    translate: shared.Translate = False,
    speakers: shared.Speakers = False,
    num_speakers: shared.NumSpeakers = None,
    min_speakers: shared.MinSpeakers = None,
    max_speakers: shared.MaxSpeakers = None,
    words: Annotated[bool, typer.Option("--words", help="Find the time of each word.")] = False,
    prompt: shared.Prompt = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the end is announced.")
    ] = None,
    webhook_header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:VALUE", help="Sent along with it; may be repeated."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Idempotency key: the same one again makes no second job."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay, and write the transcript.")] = False,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="With --wait: how the transcript is written."),
    ] = None,
    output: shared.Output = None,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 600,
) -> None:
    """Hand in a recording and print the job's id.

    With --wait, stay until the end and write the transcript instead:

        rayscribe jobs submit talk.mp3 --speakers --wait > talk.txt
    """
    if not wait and (output_format or output):
        raise typer.BadParameter("--format and --output need it.", param_hint="'--wait'")
    bounds = {
        "num_speakers": num_speakers,
        "min_speakers": min_speakers,
        "max_speakers": max_speakers,
    }
    shared.check_bounds(bounds, speakers=speakers)
    shared.check_output(output)
    target = _webhook(webhook, webhook_header or [])
    options: dict[str, Any] = {
        **({"language": language} if language else {}),
        **({"task": "translate"} if translate else {}),
        **({"speakers": True} if speakers else {}),
        **({"words": True} if words else {}),
        **({"prompt": prompt} if prompt else {}),
        **({"webhook": target} if target else {}),
        **{name: bound for name, bound in bounds.items() if bound is not None},
    }
    source = shared.source(recording)
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        job = _submit(client, source, options, key)
        if not wait:
            typer.echo(job["id"])
            return
        with _not_forgotten(job["id"]):
            _conclude(_follow(client, job["id"], print_segments=False))
            shared.write(client.transcript(job["id"], output_format or Format.TXT), output)


@app.command("list", epilog=shared.EPILOG)
def list_jobs(
    status: Annotated[Status | None, typer.Option(help="Only those that stand so.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Show jobs, newest first: a table on a terminal, columns between tabs in a pipe."""
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        rows = (_row(job) for job in client.jobs(status=status, limit=limit))
        if not sys.stdout.isatty():
            for row in rows:
                typer.echo("\t".join(row))
            return
        table = Table("job", "status", "created", "recognized", "error", box=None)
        for row in rows:
            table.add_row(*row)
        Console().print(table)


@app.command(epilog=shared.EPILOG)
def watch(
    job: JobId,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 600,
) -> None:
    """Write a job's segments as they are found, until it ends.

    The exit code is that of the job: 0 where it completed. A service that restarts meanwhile is
    waited for.
    """
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        _conclude(_follow(client, job, print_segments=True))


@app.command(epilog=shared.EPILOG)
def cancel(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="One id, or several.")],
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Stop jobs, and print the id of each that was stopped."""
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        for job in jobs:
            typer.echo(client.cancel(job)["id"])


@app.command(epilog=shared.EPILOG)
def get(  # noqa: PLR0917 - each is an option by name
    job: JobId,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="Write its transcript so, not how it stands."),
    ] = None,
    output: shared.Output = None,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Show how a job stands, as JSON; with --format, the transcript it found.

    rayscribe jobs get JOB --format srt > talk.srt
    """
    shared.check_output(output)
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        answer = client.job(job) if output_format is None else client.transcript(job, output_format)
        shared.write(answer, output)


# ------------------------------------------------------------------------------ helpers


def _webhook(url: str | None, headers: list[str]) -> dict[str, Any] | None:
    if url is None:
        if headers:
            raise typer.BadParameter("--webhook-header needs it.", param_hint="'--webhook'")
        return None
    pairs = [header.partition(":") for header in headers]
    for name, colon, _ in pairs:
        if not (name.strip() and colon):
            raise typer.BadParameter(
                "give a name, a colon and a value.", param_hint="'--webhook-header'"
            )
    return {"url": url, "header": {name.strip(): value.strip() for name, _, value in pairs}}


def _submit(
    client: JobClient, source: Path | str, options: dict[str, Any], key: str | None
) -> JobObject:
    with _progress() as progress:
        if not isinstance(source, Path):
            return client.submit(source, options, key=key)
        bar = progress.add_task("Uploading", total=source.stat().st_size)
        return client.submit(
            source,
            options,
            key=key,
            on_upload=lambda sent: progress.update(bar, completed=sent),
        )


def _follow(client: JobClient, job_id: str, *, print_segments: bool) -> JobObject:
    """The job once it has ended; progress meanwhile, if a person is looking."""
    with _progress() as progress:
        loading = progress.add_task("Loading", total=None)
        recognizing = progress.add_task("Transcribing", total=None)
        for event in client.events(job_id):
            match event:
                case JobEvent("progress", data):
                    total = data["duration"]
                    progress.update(loading, completed=data["loaded"], total=total)
                    progress.update(recognizing, completed=data["recognized"], total=total)
                case JobEvent("segment", data):
                    if print_segments:
                        print(_line(data), flush=True)
                case _:
                    return event.data
    raise AssertionError("the events of a job end with its status")


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Lines on the same terminal go above the bars; what goes elsewhere is left alone.
        redirect_stdout=sys.stdout.isatty(),
    )


@contextmanager
def _not_forgotten(job_id: str) -> Iterator[None]:
    """Say how to come back to a job that goes on without us."""
    try:
        yield
    except (KeyboardInterrupt, ServiceFailure, OSError):
        typer.echo(f"rayscribe: this was job {job_id}; see rayscribe jobs get {job_id}", err=True)
        raise


def _conclude(job: JobObject) -> None:
    """Say what is missing of an ended job's transcript. Raises ServiceFailure where all is."""
    if (failure := failure_of_job(job)) is not None:
        raise failure
    shared.tell((job.get("quality") or {}).get("notes", []))


def _row(job: JobObject) -> tuple[str, ...]:
    """Id, status, when it was accepted, seconds recognized of how many, and its error."""
    created = datetime.fromtimestamp(job["created_at"]).astimezone()
    progress, error = job["progress"], job["error"]
    total = progress["duration"]
    return (
        job["id"],
        job["status"],
        created.isoformat(sep=" ", timespec="seconds"),
        f"{progress['recognized']:.1f}/{'?' if total is None else f'{total:.1f}'}",
        " ".join(error["message"].split()) if error else "",
    )


def _line(segment: dict[str, Any]) -> str:
    return f"[{_clock(segment['start'])} - {_clock(segment['end'])}] {segment['text'].strip()}"


def _clock(seconds: float) -> str:
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{tenths / 10:04.1f}"
