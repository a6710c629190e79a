"""What peers make of recordings that users reported: `python -m benchmarks.reported`.

Each system has the weights of the bundled model, finds the language itself, and decodes in float32,
so that the same words are told everywhere. A recording that ends its process is shown as that.
Asking the model about what voice activity calls silence is what some of them need: a second table
counts what that adds to recordings that do not.
"""

from collections.abc import Sequence
from pathlib import Path

import typer

from benchmarks.measuring import results
from benchmarks.measuring.recordings import NoSpeech, cut, listed, waveform
from benchmarks.measuring.tables import Cell, percent, table
from benchmarks.measuring.text_errors import word_errors
from benchmarks.systems.worker import Worker, WorkerFailed
from configs.settings import AudioSettings
from tests.support.recordings.speech import Recording

USUAL = ("en", "long", "multi", "conversation")

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
    typer.echo(table(("folder", "windows", "more", "seconds", "more"), list(map(_added, USUAL))))
    named = {
        name: dict(zip((r.name for r in reported), found[name], strict=True)) for name in found
    }
    typer.echo(f"Written to {results.write('reported', named)}")


def _added(folder: str) -> Sequence[Cell]:
    """Windows and their seconds without faint speech, and what it adds to both."""
    waveforms = [waveform(each.path) for each in listed(folder)]
    counts: list[tuple[int, float]] = []
    for faint in (False, True):
        windows = [w for each in waveforms for w in cut(each, AudioSettings(vad_faint=faint))]
        counts.append((len(windows), sum(window.end - window.start for window in windows)))
    (usual, seconds), (all_windows, all_seconds) = counts
    return folder, usual, all_windows - usual, seconds, all_seconds - seconds


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
