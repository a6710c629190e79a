"""The options of `rayscribe batch`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from serve_app.batch.formats import Format
from serve_app.client import shared


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed: where recordings come from and transcripts go to, what is asked of each, and
    who works on them."""

    source: str
    output: str
    form: Format
    column: str
    shard: int
    retry_failed: bool
    language: str | None
    translate: bool
    words: bool
    speakers: bool
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    prompt: str | None
    profile: str
    address: str | None
    workers: int | None
    at_once: int | None


EPILOG = "\n\n".join(
    (
        "Exit codes:",
        "0 every recording has a transcript",
        "2 wrong usage, or tables that cannot be written",
        "3 some recordings are in the table of failures",
        "4 some failed for no fault of their own, or the batch did: start it again",
        "130 interrupted: start it again, and it goes on",
    )
)


def batch(  # noqa: PLR0917 - each is an option by name
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder or bucket (s3://bucket/prefix), a pattern in quotes, or a list: a "
            "Parquet file with a column of paths and addresses.",
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="TARGET", help="Folder or URL of the tables.")
    ],
    form: Annotated[
        Format, typer.Option("--format", "-f", help="JSON lines, or Parquet.")
    ] = Format.JSONL,
    column: Annotated[
        str, typer.Option(metavar="NAME", help="Of a list: the column with the paths.")
    ] = "path",
    shard: Annotated[
        int,
        typer.Option(
            "--shard-size",
            min=1,
            metavar="N",
            help="Recordings in a file of a table, at most; what is in none yet is done again "
            "after a crash.",
        ),
    ] = 1000,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try those again, too, that cannot be decoded.")
    ] = False,
    language: shared.Language = None,
    translate: shared.Translate = False,
    words: Annotated[bool, typer.Option("--words", help="The time of each word.")] = False,
    speakers: shared.Speakers = False,
    num_speakers: shared.NumSpeakers = None,
    min_speakers: shared.MinSpeakers = None,
    max_speakers: shared.MaxSpeakers = None,
    prompt: shared.Prompt = None,
    profile: Annotated[
        str,
        typer.Option(
            metavar="PROFILE",
            help="Models, and what a worker reserves: cpu, gpu, multi-gpu, or a YAML file.",
        ),
    ] = "cpu",
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            help="A Ray cluster, or `auto` for the one that this machine belongs to; without it, "
            "one is started here.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes with a model. [default: one a card or machine]"),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            metavar="N",
            help="Recordings at a time with each worker. [default: twice the profile's slots]",
        ),
    ] = None,
) -> None:
    """Transcribe recordings by the thousand, without a service.

    On this machine, or on the Ray cluster that --address names. What is in the
    tables already is not done again, so a batch that was stopped, by
    whatever, goes on where it stood:

        rayscribe batch s3://calls/2026 -o s3://transcripts/2026 --speakers
    """
    bounds = {
        "num_speakers": num_speakers,
        "min_speakers": min_speakers,
        "max_speakers": max_speakers,
    }
    shared.check_speakers(bounds, {}, speakers=speakers)
    if (min_speakers or 1) > (max_speakers or min_speakers or 1):
        raise typer.BadParameter("it is more than --max-speakers.", param_hint="'--min-speakers'")
    # Ray takes seconds to import, which no other command has to wait for.
    from serve_app.bulk.run import run  # noqa: PLC0415

    options = Options(
        source,
        output,
        form,
        column,
        shard,
        retry_failed,
        language,
        translate,
        words,
        speakers,
        **bounds,
        prompt=prompt,
        profile=profile,
        address=address,
        workers=workers,
        at_once=at_once,
    )
    with shared.exit_codes():
        run(options)
