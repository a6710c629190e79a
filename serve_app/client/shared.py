"""What all commands share: options, their checks, and exit codes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from serve_app.client.failures import ServiceFailure
from serve_app.client.recordings import NoRecording, Recording, one_recording
from serve_app.client.recordings import recordings as all_recordings

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


_VALUES = {"<str>": "TEXT", "<int range>": "N", "<file>": "FILE", "<directory>": "FOLDER"}


def _plain(params: list[Any], context: Any) -> list[Any]:
    """Values by words, where typer would write Python's types: `<bool>`, `<list[str]>`."""
    for param in params:
        if isinstance(param, TyperArgument):
            vars(param)["display_type_rich"] = _untyped
        elif param.metavar is None and not param.is_bool_flag:
            shown = param.display_type(context)
            chosen = shown.strip("<>").removeprefix("list[").removesuffix("]")
            param.metavar = _VALUES.get(shown, chosen)
        elif param.is_bool_flag:
            param.metavar = ""
    return params


def _untyped(ctx: Any) -> None:
    """An argument's name says what it is."""


class Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx), ctx)


class Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx), ctx)


RecordingName = Annotated[
    str,
    typer.Argument(
        metavar="RECORDING", help="A file here, an http(s) address, or - for what comes in by pipe."
    ),
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
SpeakerNames = Annotated[
    list[str] | None,
    typer.Option(
        "--speaker-name",
        metavar="NAME",
        help="What to call SPEAKER_00; given again, SPEAKER_01, and so on.",
    ),
]
KnownSpeakers = Annotated[
    list[str] | None,
    typer.Option(
        "--known-speaker",
        metavar="NAME=RECORDING",
        help="Somebody by their voice: a file, or an http(s) address, in which only they talk; may "
        "be repeated.",
    ),
]
Identify = Annotated[
    bool,
    typer.Option("--identify", help="Name those whom `rayscribe speakers add` has made known."),
]
Prompt = Annotated[
    str | None, typer.Option(help="Names and style that the transcript should follow.")
]
Server = Annotated[
    str, typer.Option(metavar="URL", envvar="RAYSCRIBE_SERVER", help="Where the service is.")
]
ApiKey = Annotated[
    str | None,
    typer.Option(metavar="KEY", envvar="RAYSCRIBE_API_KEY", help="A key of the service."),
]
Timeout = Annotated[
    float,
    typer.Option(min=1, metavar="SECONDS", help="Give up when the service is silent for so long."),
]

LOCAL = "http://127.0.0.1:8000"


def source(recording: str) -> Recording:
    """The recording of that name. Raises BadParameter where there is none, or a folder."""
    try:
        return one_recording(recording)
    except NoRecording as nothing:
        raise typer.BadParameter(str(nothing), param_hint="'RECORDING'") from nothing


def sources(recordings: list[str]) -> list[Recording]:
    """The recordings behind these names. Raises BadParameter where there is none."""
    try:
        return all_recordings(recordings)
    except NoRecording as nothing:
        raise typer.BadParameter(str(nothing), param_hint="'RECORDING'") from nothing


def address(server: str) -> str:
    """The service's URL, without the /v1 that OpenAI's clients are given.

    Raises BadParameter where it cannot be one.
    """
    url = server if "://" in server else f"http://{server}"
    if not url.lower().startswith(("http://", "https://")):
        raise typer.BadParameter("give an http(s) address.", param_hint="'--server'")
    return url.rstrip("/").removesuffix("/v1")


def check_speakers(
    bounds: dict[str, int | None], names: Mapping[str, object], *, speakers: bool
) -> None:
    """Raises BadParameter for a number or names of speakers whom nobody tells apart. `names` are
    options and what was given for them."""
    if any(bounds.values()) and not speakers:
        raise typer.BadParameter("a number of speakers needs it.", param_hint="'--speakers'")
    for option, given in names.items():
        if given and not speakers:
            raise typer.BadParameter(f"{option} needs it.", param_hint="'--speakers'")


def check_output(output: Path | None) -> None:
    """Raises BadParameter, before any work is done, where the file could not be written."""
    if output is not None and not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"the folder of {output} does not exist.", param_hint="'--output'")


@contextmanager
def exit_codes() -> Iterator[None]:
    """Failures as one line on stderr and the exit code that a script can test."""
    try:
        yield
    except ServiceFailure as failure:
        typer.echo(f"rayscribe: {failure.message}", err=True)
        raise typer.Exit(failure.exit_code) from failure
    except BrokenPipeError:
        raise  # whoever reads our output has enough; typer ends quietly
    except OSError as error:
        typer.echo(f"rayscribe: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(130) from interrupt
