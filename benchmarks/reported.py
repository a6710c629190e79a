"""What peers make of recordings that users reported: `python -m benchmarks.reported`.

Each system has the weights of the bundled model, finds the language itself, and decodes in float32,
so that the same words are told everywhere. A recording that ends its process is shown as that.
"""

from collections.abc import Sequence
from pathlib import Path

import typer

from benchmarks.measuring import results
from benchmarks.measuring.recordings import NoSpeech, listed
from benchmarks.measuring.tables import Cell, percent, table
from benchmarks.measuring.text_errors import word_errors
from benchmarks.systems.worker import Worker, WorkerFailed
from tests.support.speech import Recording

SYSTEMS: dict[str, tuple[str, dict[str, object]]] = {
    "Rayscribe": ("in-process", {"dtype": "float32"}),
    "faster-whisper": ("faster-whisper", {"compute": "float32"}),
    "faster-whisper, batched": ("faster-whisper", {"compute": "float32", "batch": 8}),
}


def main() -> None:
    """Count the word errors of each system on each reported recording."""
    try:
        reported = listed("reported")
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    found = {name: _errors(*system, reported) for name, system in SYSTEMS.items()}
    rows: list[Sequence[Cell]] = [
        (
            each.name,
            each.case,
            percent(each.limit, 0),
            *(_shown(found[name][at]) for name in SYSTEMS),
        )
        for at, each in enumerate(reported)
    ]
    within = [
        sum(rate is not None and rate <= (each.limit or 0) for each, rate in pairs)
        for pairs in (zip(reported, found[name], strict=True) for name in SYSTEMS)
    ]
    rows.append(("within the limit", "", "", *(f"{n} of {len(reported)}" for n in within)))
    typer.echo(table(("recording", "trouble", "limit", *SYSTEMS), rows))
    named = {
        name: dict(zip((r.name for r in reported), found[name], strict=True)) for name in found
    }
    typer.echo(f"Written to {results.write('reported', named)}")


def _errors(
    kind: str, options: dict[str, object], reported: Sequence[Recording]
) -> list[float | None]:
    """Word error rates; None where there was no answer."""
    rates: list[float | None] = []
    rest: list[Recording] = list(reported)
    while rest:
        with Worker(kind, language=None, **options) as worker:
            while rest:
                recording = rest.pop(0)
                text = _text(worker, recording.path)
                rates.append(None if text is None else _rate(recording, text))
                if text is None:
                    break  # another process for the rest
    return rates


def _text(worker: Worker, path: Path) -> str | None:
    try:
        worker.prepare([path])
        return worker.run([path]).texts[0]
    except WorkerFailed:
        return None


def _rate(recording: Recording, text: str) -> float:
    errors, words = word_errors(recording.text or "", text)
    return errors / words


def _shown(rate: float | None) -> str:
    return "no answer" if rate is None else percent(rate, 0)


if __name__ == "__main__":
    typer.run(main)
