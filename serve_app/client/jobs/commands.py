"""`rayscribe jobs`: work that goes on when this program ends."""

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from serve_app.client import shared
from serve_app.client.failures import ServiceFailure
from serve_app.client.formats import Format
from serve_app.client.jobs.api import JobClient
from serve_app.client.jobs.table import show
from serve_app.client.jobs.watching import conclude, follow, line, not_forgotten, submitted
from serve_app.client.output import write
from serve_app.client.speakers.references import references

app = typer.Typer(
    name="jobs",
    cls=shared.Group,
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


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def submit(  # noqa: PLR0917 - each is an option by name
    recording: shared.RecordingName,
    language: shared.Language = None,
    translate: shared.Translate = False,
    speakers: shared.Speakers = False,
    num_speakers: shared.NumSpeakers = None,
    min_speakers: shared.MinSpeakers = None,
    max_speakers: shared.MaxSpeakers = None,
    speaker_names: shared.SpeakerNames = None,
    known_speakers: shared.KnownSpeakers = None,
    identify: shared.Identify = False,
    words: Annotated[bool, typer.Option("--words", help="Find the time of each word.")] = False,
    prompt: shared.Prompt = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the end is announced.")
    ] = None,
    webhook_header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:VALUE", help="Sent along with it; may be repeated."),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="A note of your own on the job; may be repeated."),
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
    names = {
        "--speaker-name": speaker_names,
        "--known-speaker": known_speakers,
        "--identify": identify,
    }
    shared.check_speakers(bounds, names, speakers=speakers)
    shared.check_output(output)
    voices: dict[str, list[str]] = {}
    with shared.exit_codes():
        for name, voice in references(known_speakers or []):
            voices.setdefault(name, []).append(voice)
    known = [{"name": name, "references": each} for name, each in voices.items()]
    target = _webhook(webhook, webhook_header or [])
    notes = dict(_pairs(metadata or [], "=", "'--metadata'"))
    options: dict[str, Any] = {
        **({"language": language} if language else {}),
        **({"task": "translate"} if translate else {}),
        **({"speakers": True} if speakers else {}),
        **({"words": True} if words else {}),
        **({"prompt": prompt} if prompt else {}),
        **({"webhook": target} if target else {}),
        **({"metadata": notes} if notes else {}),
        **({"speaker_names": speaker_names} if speaker_names else {}),
        **({"known_speakers": known} if known else {}),
        **({"identify": True} if identify else {}),
        **{name: bound for name, bound in bounds.items() if bound is not None},
    }
    source = shared.source(recording)
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        job = submitted(client, source, options, key)
        if not wait:
            typer.echo(job["id"])
            return
        with not_forgotten(job["id"]):
            conclude(follow(client, job))
            write(client.transcript(job["id"], output_format or Format.TXT), output)


@app.command("list", cls=shared.Command, epilog=shared.EPILOG)
def list_jobs(
    status: Annotated[
        Status | None,
        typer.Option(
            metavar="STATUS",
            help=f"Only those that stand so: {', '.join(Status)}.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Show jobs, newest first: a table on a terminal, columns between tabs in a pipe.

    In a pipe: id, status, time of acceptance, seconds recognized of how many, error, name.
    """
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        show(client.jobs(status=status, limit=limit))


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def watch(
    job: JobId,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 600,
) -> None:
    """Write a job's segments as they are found, until it ends.

    Who speaks is known in the end. Where speakers are told apart, segments are written then,
    with their speakers; a terminal shows them before too, without.

    The exit code is that of the job: 0 where it completed. A service that restarts meanwhile is
    waited for.
    """
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        found = client.job(job)
        speakers = found["options"]["speakers"]
        early = not speakers or (sys.stdout.isatty() and found["ended_at"] is None)
        conclude(follow(client, found, print_segments=early))
        if speakers:
            if early:
                print()
            for segment in json.loads(client.transcript(job, Format.JSON))["segments"]:
                print(line(segment))


Jobs = Annotated[list[str], typer.Argument(metavar="JOB", help="One id, or several.")]


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def cancel(
    jobs: Jobs,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Stop jobs, and print the id of each that was stopped."""
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        _each(jobs, client.cancel)


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def delete(
    jobs: Jobs,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Remove ended jobs with their recordings and results, and print the id of each."""
    url = shared.address(server)
    with shared.exit_codes(), JobClient(url, api_key, timeout=timeout) as client:
        _each(jobs, client.delete)


@app.command(cls=shared.Command, epilog=shared.EPILOG)
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
        write(answer, output)


# ------------------------------------------------------------------------------ helpers


def _each(jobs: list[str], act: Callable[[str], object]) -> None:
    """Do it to every job and print its id; a failure stops none but its own.

    Raises the first of several failures once all were tried.
    """
    first: ServiceFailure | None = None
    for job in jobs:
        try:
            act(job)
        except ServiceFailure as failure:
            if first is not None:
                typer.echo(f"rayscribe: {failure.message}", err=True)
            first = first or failure
        else:
            typer.echo(job)
    if first is not None:
        raise first


def _webhook(url: str | None, headers: list[str]) -> dict[str, Any] | None:
    if url is None:
        if headers:
            raise typer.BadParameter("--webhook-header needs it.", param_hint="'--webhook'")
        return None
    return {"url": url, "header": dict(_pairs(headers, ":", "'--webhook-header'"))}


def _pairs(texts: list[str], sign: str, option: str) -> list[tuple[str, str]]:
    pairs = [text.partition(sign) for text in texts]
    for name, found, _ in pairs:
        if not (name.strip() and found):
            raise typer.BadParameter(f"give a name, then {sign} and a value.", param_hint=option)
    return [(name.strip(), value.strip()) for name, _, value in pairs]
