"""The command line: recordings in, transcripts out, by a running service."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
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
from serve_app.client import Broken, Busy, Client, Refused, ServiceFailure, Unreachable

EXIT_CODES: dict[type[ServiceFailure], int] = {Refused: 3, Broken: 4, Unreachable: 5, Busy: 6}

_EPILOG = "\n\n".join(
    (
        "Exit codes:",
        "0 done",
        "2 wrong usage, or a file that cannot be read or written",
        "3 the service refused the request or the recording",
        "4 the service failed",
        "5 no service was reached, or the connection broke",
        "6 the service is busy: try again later",
        "130 interrupted",
    )
)

app = typer.Typer(
    name="rayscribe",
    help="Speech to text with speakers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Format(StrEnum):
    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


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


@app.command(epilog=_EPILOG)
def transcribe(  # noqa: PLR0917 - each is an option by name
    recording: Annotated[
        str, typer.Argument(metavar="FILE_OR_URL", help="A file here, or an http(s) address.")
    ],
    output_format: Annotated[
        Format, typer.Option("--format", "-f", help="How the transcript is written.")
    ] = Format.TXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", dir_okay=False, help="Write to this file, not to stdout."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("--language", "-l", help="Code or English name; detected if not given."),
    ] = None,
    translate: Annotated[
        bool, typer.Option("--translate", help="Write English, whatever is spoken.")
    ] = False,
    speakers: Annotated[bool, typer.Option("--speakers", help="Tell speakers apart.")] = False,
    num_speakers: Annotated[
        int | None, typer.Option(min=1, help="How many speakers there are.")
    ] = None,
    min_speakers: Annotated[int | None, typer.Option(min=1, help="At least so many.")] = None,
    max_speakers: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    words: Annotated[
        bool, typer.Option("--words", help="With --format json: the time of each word.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="Names and style that the transcript should follow.")
    ] = None,
    server: Annotated[
        str, typer.Option(envvar="RAYSCRIBE_SERVER", help="Where the service is.")
    ] = "http://127.0.0.1:8000",
    api_key: Annotated[
        str | None,
        typer.Option(envvar="RAYSCRIBE_API_KEY", help="The service's ADMIN_KEY.", show_envvar=True),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Give up when the service is silent so many seconds.")
    ] = 600,
) -> None:
    """Transcribe a recording with a running service.

    Progress goes to a terminal on stderr, the transcript alone to stdout:

        rayscribe transcribe talk.mp3 --speakers > talk.txt
    """
    if words and (output_format is not Format.JSON or translate):
        raise typer.BadParameter(
            "it needs --format json, and no --translate.", param_hint="'--words'"
        )
    speaker_bounds = {
        "num_speakers": num_speakers,
        "min_speakers": min_speakers,
        "max_speakers": max_speakers,
    }
    if any(speaker_bounds.values()) and not speakers:
        raise typer.BadParameter("a number of speakers needs it.", param_hint="'--speakers'")
    if output is not None and not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"the folder of {output} does not exist.", param_hint="'--output'")
    options: dict[str, str | list[str]] = {
        "response_format": _RESPONSE_FORMATS[output_format],
        **({"language": language} if language else {}),
        **({"prompt": prompt} if prompt else {}),
        **({"speakers": "true"} if speakers else {}),
        **({"timestamp_granularities[]": ["segment", "word"]} if words else {}),
        **{name: str(bound) for name, bound in speaker_bounds.items() if bound is not None},
    }
    source = _source(recording)
    with _exit_codes(), Client(_address(server), api_key, timeout=timeout) as client:
        answer = _run(client, source, translate=translate, options=options)
        _write(answer, output)


def _source(recording: str) -> Path | str:
    if recording.lower().startswith(("http://", "https://")):
        return recording
    path = Path(recording)
    if not path.is_file():
        raise typer.BadParameter(f"there is no file {recording}.", param_hint="'FILE_OR_URL'")
    return path


def _address(server: str) -> str:
    address = server if "://" in server else f"http://{server}"
    if not address.startswith(("http://", "https://")):
        raise typer.BadParameter("give an http(s) address.", param_hint="'--server'")
    return address


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
        for event in client.transcribe(
            source, translate=translate, options=options, on_upload=bars.uploaded
        ):
            match event["type"]:
                case "transcript.progress":
                    bars.recognized(event)
                case "transcript.text.done":
                    answer = event["output"]
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


def _write(answer: Any, output: Path | None) -> None:
    text = (
        answer
        if isinstance(answer, str)
        else json.dumps(answer, ensure_ascii=False, indent=2) + "\n"
    )
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        output.write_text(text, encoding="utf-8")


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Failures as one line on stderr and the exit code that a script can test."""
    try:
        yield
    except ServiceFailure as failure:
        typer.echo(f"rayscribe: {failure.message}", err=True)
        raise typer.Exit(EXIT_CODES[type(failure)]) from failure
    except BrokenPipeError:
        raise  # whoever reads our output has enough; typer ends quietly
    except OSError as error:
        typer.echo(f"rayscribe: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(130) from interrupt


def main() -> None:
    app()


if __name__ == "__main__":
    main()
