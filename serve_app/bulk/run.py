"""A batch from its options to its end."""

import asyncio
import signal
import time
from contextlib import closing

import typer

from configs.settings import Settings
from interchange.errors import ServerError
from interchange.stages import BlobSource
from serve_app import start
from serve_app.batch.recordings import NoRecordings, Recording, recordings
from serve_app.batch.run import Account, Batch, BatchFailed
from serve_app.batch.tables import Tables, TargetRefused
from serve_app.bulk.actors import Staff, workers
from serve_app.bulk.command import Options
from serve_app.client.recordings import SUFFIXES
from serve_app.transcription.language_names import parse_language
from serve_app.transcription.request import TranscriptionRequest

_SAY_S = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_OF_RECORDINGS = 3
_OF_PROGRAM = 4
"""Exit codes, where a batch ended or a recording failed by whose fault."""


def run(options: Options) -> None:
    """Raises typer's Exit where not every recording has a transcript, BadParameter, and OSError."""
    asked = _asked(options)
    if options.address is None:
        start.prepare(options.profile)
    try:
        staff = Staff.of(start.load(start.profile_path(options.profile), None))
        with closing(Tables(options.output, options.form)) as tables:
            left = _left(options, tables, _identity(staff.settings, asked))
            account = _work(options, staff, asked, tables, left) if left else Account(0)
    except (NoRecordings, TargetRefused) as error:
        _say(str(error))
        raise typer.Exit(2) from error
    except (BatchFailed, start.StartFailed, ServerError) as error:
        _say(str(error))
        raise typer.Exit(_OF_PROGRAM) from error
    _say(f"{_summary(account)} The tables are in {options.output}.")
    if account.failed:
        raise typer.Exit(_OF_PROGRAM if account.program else _OF_RECORDINGS)


def _work(
    options: Options,
    staff: Staff,
    asked: TranscriptionRequest,
    tables: Tables,
    left: list[Recording],
) -> Account:
    address = options.address
    with start.joined_cluster(address) if address else start.local_cluster():
        count = options.workers or staff.places(speakers=asked.speakers)
        at_once = options.at_once or 2 * staff.settings.recognition.slots
        _say(f"Starting {count} {'worker' if count == 1 else 'workers'}: their models load")
        batch = Batch(
            workers(staff, asked, count), tables, left, at_once=at_once, shard=options.shard
        )
        asyncio.run(_run(batch))
        return batch.account


def _asked(options: Options) -> TranscriptionRequest:
    """The request of every recording, but for its id and source."""
    try:
        language = parse_language(options.language) if options.language else None
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--language'") from error
    return TranscriptionRequest(
        id="",
        source=BlobSource("", ""),
        task="translate" if options.translate else "transcribe",
        language=language,
        words=options.words,
        speakers=options.speakers,
        num_speakers=options.num_speakers,
        min_speakers=options.min_speakers,
        max_speakers=options.max_speakers,
        prompt=options.prompt,
        priority="bulk",
    )


def _identity(settings: Settings, asked: TranscriptionRequest) -> dict[str, object]:
    """What transcripts of one table have in common."""
    options = ("task", "language", "words", "speakers", "prompt")
    bounds = ("num_speakers", "min_speakers", "max_speakers")
    recognition, diarization = settings.recognition, settings.diarization
    return {
        **{name: getattr(asked, name) for name in (*options, *bounds)},
        "recognition_model": [recognition.model, recognition.revision],
        "diarization_model": [diarization.model, diarization.revision] if asked.speakers else None,
    }


def _left(options: Options, tables: Tables, identity: dict[str, object]) -> list[Recording]:
    """The recordings that are in no table yet."""
    try:
        tables.begin(identity)
        tables.forget_failures(of_recordings=options.retry_failed)
        done = tables.done()
        found = recordings(options.source, SUFFIXES, options.column)
    except (NoRecordings, TargetRefused, ServerError, OSError):
        raise
    except Exception as error:  # each package for a store has errors of its own
        raise BatchFailed(
            f"{options.source} or {options.output} cannot be reached: {error}"
        ) from error
    left = [each for each in found if each.path not in done]
    already = f", of which {len(found) - len(left)} are done" if len(left) < len(found) else ""
    _say(f"{len(found)} recordings{already}")
    return left


async def _run(batch: Batch) -> None:
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(batch.run())
    for number in _SIGNALS:
        loop.add_signal_handler(number, work.cancel)
    saying = asyncio.create_task(_tell(batch.account))
    try:
        await work
    except asyncio.CancelledError:
        _say("Stopped. Start it again with the same options, and it goes on.")
        raise typer.Exit(130) from None
    finally:
        saying.cancel()


async def _tell(account: Account) -> None:
    while True:
        await asyncio.sleep(_SAY_S)
        if account.began is not None:
            _say(_summary(account))


def _summary(account: Account) -> str:
    parts = [f"{account.done + account.failed} of {account.total} recordings"]
    if account.failed:
        parts.append(f"{account.failed} failed")
    if account.seconds:
        speed = account.audio_s / account.seconds
        parts.append(f"{account.seconds:.1f} s, {speed:.1f} × real time")
    if account.left and account.done:
        left_s = account.seconds / (account.done + account.failed) * account.left
        parts.append(f"about {left_s / 60:.0f} min left")
    return ", ".join(parts) + "."


def _say(sentence: str) -> None:
    typer.echo(f"{time.strftime('%H:%M:%S')} {sentence}", err=True)
