"""The command line: recordings in, transcripts out, by a running service."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from serve_app import __version__
from serve_app.client import jobs_commands, shared
from serve_app.client.api import Client
from serve_app.client.shared import Format

app = typer.Typer(
    name="rayscribe",
    help="Speech to text with speakers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(jobs_commands.app)

_RESPONSE_FORMATS = {
    Format.TXT: "text",
    Format.JSON: "verbose_json",
    Format.SRT: "srt",
    Format.VTT: "vtt",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rayscribe {__version__}")
        raise typer.Exit


@app.callback()
def _rayscribe(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Speech to text with speakers."""


@app.command(epilog=shared.EPILOG)
def transcribe(  # noqa: PLR0917 - each is an option by name
    recording: shared.Recording,
    output_format: Annotated[
        Format, typer.Option("--format", "-f", help="How the transcript is written.")
    ] = Format.TXT,
    output: shared.Output = None,
    language: shared.Language = None,
    translate: shared.Translate = False,
    speakers: shared.Speakers = False,
    num_speakers: shared.NumSpeakers = None,
    min_speakers: shared.MinSpeakers = None,
    max_speakers: shared.MaxSpeakers = None,
    words: Annotated[
        bool, typer.Option("--words", help="With --format json: the time of each word.")
    ] = False,
    prompt: shared.Prompt = None,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 600,
) -> None:
    """Transcribe a recording with a running service.

    Progress goes to a terminal on stderr, the transcript alone to stdout:

        rayscribe transcribe talk.mp3 --speakers > talk.txt
    """
    if words and (output_format is not Format.JSON or translate):
        raise typer.BadParameter(
            "it needs --format json, and no --translate.", param_hint="'--words'"
        )
    bounds = {
        "num_speakers": num_speakers,
        "min_speakers": min_speakers,
        "max_speakers": max_speakers,
    }
    shared.check_bounds(bounds, speakers=speakers)
    shared.check_output(output)
    options: dict[str, str | list[str]] = {
        "response_format": _RESPONSE_FORMATS[output_format],
        **({"language": language} if language else {}),
        **({"prompt": prompt} if prompt else {}),
        **({"speakers": "true"} if speakers else {}),
        **({"timestamp_granularities[]": ["segment", "word"]} if words else {}),
        **{name: str(bound) for name, bound in bounds.items() if bound is not None},
    }
    source = shared.source(recording)
    url = shared.address(server)
    with shared.exit_codes(), Client(url, api_key, timeout=timeout) as client:
        answer = _run(client, source, translate=translate, options=options)
        shared.write(answer, output)


def _run(
    client: Client, source: Path | str, *, translate: bool, options: dict[str, str | list[str]]
) -> Any:
    """The whole answer; progress meanwhile, if a person is looking."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        bars = _Bars(progress, source)
        answer = None
        notes: list[str] = []
        for event in client.transcribe(
            source, translate=translate, options=options, on_upload=bars.uploaded
        ):
            match event["type"]:
                case "transcript.progress":
                    bars.recognized(event)
                case "transcript.text.done":
                    answer = event["output"]
                    notes = event.get("notes", [])
    shared.tell(notes)
    return answer


class _Bars:
    """The upload, then the transcription, in seconds of audio."""

    def __init__(self, progress: Progress, source: Path | str) -> None:
        self._progress = progress
        self._upload: TaskID | None = None
        if isinstance(source, Path):
            self._upload = progress.add_task("Uploading", total=source.stat().st_size)
        self._transcription = progress.add_task("Transcribing", total=None)

    def uploaded(self, sent: int) -> None:
        if self._upload is not None:
            self._progress.update(self._upload, completed=sent)

    def recognized(self, event: dict[str, Any]) -> None:
        self._progress.update(
            self._transcription, completed=event["recognized"], total=event["total"]
        )


def main() -> None:
    app()
