"""The command line: recordings in, transcripts out, by a running service."""

from pathlib import Path
from typing import Annotated, Any

import typer

from serve_app import __version__
from serve_app.client import config, shared, uploads
from serve_app.client.api import Client
from serve_app.client.formats import Format
from serve_app.client.jobs import commands as jobs_commands
from serve_app.client.live.command import live
from serve_app.client.output import tell, write
from serve_app.client.progress import Board
from serve_app.client.recordings import Recording, holds_several
from serve_app.client.speakers import commands as speakers_commands
from serve_app.client.speakers.references import references
from serve_app.client.work import Wanted, Work, tasks, transcripts

app = typer.Typer(
    name="rayscribe",
    cls=shared.Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(jobs_commands.app)
app.add_typer(speakers_commands.app)
app.command(cls=shared.Command, epilog=shared.EPILOG)(live)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rayscribe {__version__}")
        raise typer.Exit


@app.callback(
    epilog=f"The service's address and key may stand in {config.path()}, "
    'as server = "http://…" and api_key = "…".'
)
def _rayscribe(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Speech to text with speakers."""
    context.default_map = config.defaults(context.command, config.settings())


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def transcribe(  # noqa: PLR0917 - each is an option by name
    recording: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING",
            help="Files, folders, patterns such as '*.mp3', http(s) addresses, or - for what "
            "comes in by pipe.",
        ),
    ],
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "--format", "-f", help="How transcripts are written; may be repeated. [default: txt]"
        ),
    ] = None,
    output: shared.Output = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            "-d",
            file_okay=False,
            help="Write to files in this folder; it is made where it is missing.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --output-dir: also what is there already.")
    ] = False,
    at_once: Annotated[
        int,
        typer.Option("--jobs", "-j", min=1, max=64, metavar="N", help="So many at the same time."),
    ] = 4,
    language: shared.Language = None,
    translate: shared.Translate = False,
    speakers: shared.Speakers = False,
    num_speakers: shared.NumSpeakers = None,
    min_speakers: shared.MinSpeakers = None,
    max_speakers: shared.MaxSpeakers = None,
    speaker_names: shared.SpeakerNames = None,
    known_speakers: shared.KnownSpeakers = None,
    identify: shared.Identify = False,
    words: Annotated[
        bool, typer.Option("--words", help="With --format json: the time of each word.")
    ] = False,
    prompt: shared.Prompt = None,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 600,
) -> None:
    """Transcribe recordings with a running service.

    Progress goes to a terminal on stderr, the transcript alone to stdout:

        rayscribe transcribe talk.mp3 --speakers > talk.txt

    Several recordings, or several formats of one, go to a folder. What is
    there already is skipped, and a recording that fails stops no other:

        rayscribe transcribe calls/ -d transcripts/ -f txt -f srt
    """
    chosen = list(dict.fromkeys(formats or [Format.TXT]))
    if words and (Format.JSON not in chosen or translate):
        raise typer.BadParameter(
            "it needs --format json, and no --translate.", param_hint="'--words'"
        )
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
    if known_speakers and translate:
        raise typer.BadParameter("it does not go with --translate.", param_hint="'--known-speaker'")
    shared.check_output(output)
    found = shared.sources(recording)
    with shared.exit_codes():
        known = references(known_speakers or [])
    if output is not None and output_dir is not None:
        raise typer.BadParameter("give this or --output-dir.", param_hint="'--output'")
    if force and output_dir is None:
        raise typer.BadParameter("--force needs it.", param_hint="'--output-dir'")
    several = len(found) > 1 or len(chosen) > 1 or any(map(holds_several, recording))
    if several and output_dir is None:
        raise typer.BadParameter(
            "several transcripts need a folder to go to, such as -d transcripts.",
            param_hint="'--output-dir'",
        )
    options: dict[str, str | list[str]] = {
        **({"language": language} if language else {}),
        **({"prompt": prompt} if prompt else {}),
        **({"speakers": "true"} if speakers else {}),
        **({"speaker_names[]": speaker_names} if speaker_names else {}),
        **({"known_speaker_names[]": [name for name, _ in known]} if known else {}),
        **({"known_speaker_references[]": [voice for _, voice in known]} if known else {}),
        **({"identify": "true"} if identify else {}),
        **({"timestamp_granularities[]": ["segment", "word"]} if words else {}),
        **{name: str(bound) for name, bound in bounds.items() if bound is not None},
    }
    wanted = Wanted(options, translate=translate, speakers=speakers)
    url = shared.address(server)
    with shared.exit_codes(), Client(url, api_key, timeout=timeout) as client:
        if output_dir is None:
            write(_one(client, found[0], chosen[0], wanted), output)
            return
        work = Work(client, wanted, at_once=at_once, force=force)
        if code := work.run(tasks(found, chosen, output_dir)):
            raise typer.Exit(code)


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def models(
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Show the models that the service offers, one a line."""
    url = shared.address(server)
    with shared.exit_codes(), Client(url, api_key, timeout=timeout) as client:
        for model in client.models():
            typer.echo(model)


def _one(client: Client, recording: Recording, form: Format, wanted: Wanted) -> Any:
    """The whole answer; progress meanwhile, if a person is looking."""
    source = recording.source
    with (
        Board() as board,
        board.line(
            recording.shown,
            uploads.size(source),
            speakers=wanted.speakers,
            stage="uploading" if isinstance(source, Path) else "loading",
        ) as line,
    ):
        answers, notes = transcripts(client, recording, [form], wanted, line)
    tell(notes)
    return answers[form]
