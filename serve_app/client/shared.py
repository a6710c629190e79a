"""What all commands share: options, exit codes, and where a transcript is written."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from serve_app.client.api import Broken, Busy, Refused, ServiceFailure, Unreachable

EXIT_CODES: dict[type[ServiceFailure], int] = {Refused: 3, Broken: 4, Unreachable: 5, Busy: 6}

EPILOG = "\n\n".join(
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


class Format(StrEnum):
    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


Recording = Annotated[
    str, typer.Argument(metavar="FILE_OR_URL", help="A file here, or an http(s) address.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", dir_okay=False, help="Write to this file, not to stdout."),
]
Language = Annotated[
    str | None,
    typer.Option("--language", "-l", help="Code or English name; detected if not given."),
]
Translate = Annotated[bool, typer.Option("--translate", help="Write English, whatever is spoken.")]
Speakers = Annotated[bool, typer.Option("--speakers", help="Tell speakers apart.")]
NumSpeakers = Annotated[int | None, typer.Option(min=1, help="How many speakers there are.")]
MinSpeakers = Annotated[int | None, typer.Option(min=1, help="At least so many.")]
MaxSpeakers = Annotated[int | None, typer.Option(min=1, help="At most so many.")]
Prompt = Annotated[
    str | None, typer.Option(help="Names and style that the transcript should follow.")
]
Server = Annotated[str, typer.Option(envvar="RAYSCRIBE_SERVER", help="Where the service is.")]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="RAYSCRIBE_API_KEY", help="The service's ADMIN_KEY.", show_envvar=True),
]
Timeout = Annotated[
    float, typer.Option(min=1, help="Give up when the service is silent so many seconds.")
]

LOCAL = "http://127.0.0.1:8000"


def source(recording: str) -> Path | str:
    """A file of this machine, or a URL. Raises BadParameter where the file is missing."""
    if recording.lower().startswith(("http://", "https://")):
        return recording
    path = Path(recording)
    if not path.is_file():
        raise typer.BadParameter(f"there is no file {recording}.", param_hint="'FILE_OR_URL'")
    return path


def address(server: str) -> str:
    """The service's URL. Raises BadParameter where it cannot be one."""
    url = server if "://" in server else f"http://{server}"
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("give an http(s) address.", param_hint="'--server'")
    return url


def check_bounds(bounds: dict[str, int | None], *, speakers: bool) -> None:
    """Raises BadParameter for a number of speakers whom nobody tells apart."""
    if any(bounds.values()) and not speakers:
        raise typer.BadParameter("a number of speakers needs it.", param_hint="'--speakers'")


def check_output(output: Path | None) -> None:
    """Raises BadParameter, before any work is done, where the file could not be written."""
    if output is not None and not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"the folder of {output} does not exist.", param_hint="'--output'")


def tell(notes: list[str]) -> None:
    """What the service says is missing, to stderr: a transcript alone goes to stdout."""
    for note in notes:
        typer.echo(f"rayscribe: {note}", err=True)


def write(answer: Any, output: Path | None = None) -> None:
    """Text as it is, anything else as JSON; to a file, or to stdout."""
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
def exit_codes() -> Iterator[None]:
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
