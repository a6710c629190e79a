"""What the silent suffix costs in words and in their times: `python -m benchmarks.silent_suffix`.

Each recording with a text is recognized by the engine alone, its language given, with windows
encoded to the end of their speech ("trimmed") and with windows padded to 30 s.

One token that falls otherwise changes all that follow it, so that a recording's errors vary by
several words with the sample that it begins at. Each is therefore recognized several times, from a
few milliseconds later each time, and its errors are a mean.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Annotated, Any

import jiwer
import numpy as np
import typer

from benchmarks.measuring import results
from benchmarks.measuring.recordings import NoSpeech, Spoken, cut, spoken, waveform
from benchmarks.measuring.tables import percent, table
from benchmarks.measuring.text_errors import normaliser, word_errors
from configs.settings import AudioSettings, RecognitionSettings
from deployments.recognition.engine.base import Engine
from deployments.recognition.engines import build_engine
from interchange.stages import SAMPLE_RATE, RecognitionOptions
from interchange.transcript import Word

WAYS = {"padded": False, "trimmed": True}
"""Of encoding a window, each with its `recognition.silent_suffix`."""

FOLDERS = ("en", "multi", "long", "hard")
SHIFT = 100
"""Samples from one start to the next: no multiple of what a feature or a position spans."""

DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording as it was recognized. Words have seconds from its start."""

    text: str
    words: list[Word]


Answers = list[list[Heard]]
"""For each recording, what was heard from each of its starts."""


def main(
    *,
    folders: Annotated[str, typer.Option(help="Of recordings, separated by commas.")] = ",".join(
        FOLDERS
    ),
    languages: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    shifts: Annotated[int, typer.Option(min=1, help="Starts of each recording.")] = 5,
    dtype: Annotated[str, typer.Option(help="As `recognition.dtype`.")] = "auto",
) -> None:
    """Compare windows encoded to the end of their speech with padded ones."""
    try:
        groups = grouped(folders.split(","), {each for each in languages.split(",") if each})
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    recordings = [each for group in groups.values() for each in group]
    heard = {
        way: recognize(
            recordings,
            shifts,
            RecognitionSettings.model_validate({"silent_suffix": on, "dtype": dtype}),
        )
        for way, on in WAYS.items()
    }
    found: dict[str, Any] = {"shifts": shifts, "dtype": dtype}
    found["words"] = compare_words(groups, heard)
    found["times"] = _compare_times(recordings, heard)
    typer.echo(f"Written to {results.write('silent-suffix', found)}")


def grouped(folders: list[str], languages: set[str]) -> dict[str, list[Spoken]]:
    """The recordings of a language together, and those of each folder that holds English."""
    groups: dict[str, list[Spoken]] = defaultdict(list)
    for folder in folders:
        for each in spoken(folder):
            if not languages or each.language in languages:
                groups[each.language if folder == "multi" else folder].append(each)
    return groups


# --------------------------------------------------------------------------- recognition


def recognize(recordings: list[Spoken], shifts: int, settings: RecognitionSettings) -> Answers:
    engine = build_engine(settings)
    engine.start()
    try:
        return [_from_each_start(engine, each, shifts) for each in recordings]
    finally:
        engine.stop()


def _from_each_start(engine: Engine, recording: Spoken, shifts: int) -> list[Heard]:
    samples = waveform(recording.path)
    options = RecognitionOptions("", language=recording.language, word_timestamps=True)
    starts = [SHIFT * turn for turn in range(shifts)]
    tickets = [
        [engine.queue.put(window, options) for window in cut(samples[start:], AudioSettings())]
        for start in starts
    ]
    heard = []
    for start, windows in zip(starts, tickets, strict=True):
        segments = [segment for ticket in windows for segment in ticket.future.result().segments]
        late = start / SAMPLE_RATE
        words = [
            replace(word, start=late + word.start, end=late + word.end)
            for segment in segments
            for word in segment.words
        ]
        heard.append(Heard("".join(segment.text for segment in segments), words))
    return heard


# --------------------------------------------------------------------------------- words


def compare_words(
    groups: dict[str, list[Spoken]], heard: dict[str, Answers]
) -> dict[str, dict[str, Any]]:
    """Errors of each group, in two ways, and how sure it is that the second's are others."""
    before, after = heard
    rows: dict[str, dict[str, Any]] = {}
    first = 0
    for name, recordings in groups.items():
        last = first + len(recordings)
        words, _ = _errors(recordings, heard[before][first:last])
        counted = {way: _errors(recordings, heard[way][first:last])[1] for way in heard}
        differences = counted[after] - counted[before]
        low, high = interval(differences)
        rows[name] = {
            "recordings": len(recordings),
            "words": words,
            **{way: float(errors.sum()) for way, errors in counted.items()},
            "difference": float(differences.sum()),
            "low": low,
            "high": high,
            "files": {
                each.path.name: [float(counted[way][at]) for way in heard]
                for at, each in enumerate(recordings)
            },
        }
        first = last
    print("\nWord errors, in mean over the starts (the difference's 95 % are over recordings)")
    headings = ["", "recordings", "words", *heard, *(f"{way}, %" for way in heard), "difference"]
    print(
        table(
            headings,
            [
                [
                    *(name, row["recordings"], row["words"]),
                    *(round(row[way], 1) for way in heard),
                    *(percent(row[way] / row["words"]) for way in heard),
                    f"{row['difference']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})",
                ]
                for name, row in rows.items()
            ],
        )
    )
    return rows


def _errors(recordings: list[Spoken], heard: Answers) -> tuple[int, Any]:
    """The words of all references, and each recording's errors (recordings,)."""
    counted = [
        [word_errors(each.text, one.text, each.language) for one in answers]
        for each, answers in zip(recordings, heard, strict=True)
    ]
    words = sum(answers[0][1] for answers in counted)
    return words, np.array([np.mean([errors for errors, _ in answers]) for answers in counted])


def interval(differences: Any) -> tuple[float, float]:
    """Within what 95 % of the sums lie if recordings are drawn anew from these (recordings,)."""
    draws = np.random.default_rng(0).integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.percentile(np.asarray(differences)[draws].sum(1), [2.5, 97.5])
    return float(low), float(high)


# --------------------------------------------------------------------------------- times


@dataclass(frozen=True, slots=True)
class Stretch:
    """What somebody says from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


def _compare_times(recordings: list[Spoken], heard: dict[str, Answers]) -> dict[str, Any]:
    """How far the first and last words of stretches are from where these begin and end."""
    rows: dict[str, Any] = {}
    for way, answers in heard.items():
        off = [
            abs(distance)
            for recording, starts in zip(recordings, answers, strict=True)
            for one in starts
            for distance in distances(_stretches(recording), one.words)
        ]
        if off:
            median, most = np.percentile(off, [50, 90])
            rows[way] = {"edges": len(off), "median": float(median), "p90": float(most)}
    print("\nFirst and last words of stretches: seconds from where these begin and end")
    print(
        table(["", "words", "median", "90 %"], [[way, *row.values()] for way, row in rows.items()])
    )
    return rows


def _stretches(recording: Spoken) -> list[Stretch]:
    reference = recording.path.with_suffix(".stm")
    if not reference.is_file():
        return []
    lines = (line.split(maxsplit=5) for line in reference.read_text().splitlines())
    return [Stretch(float(start), float(end), text) for _, _, _, start, end, text in lines]


def distances(stretches: list[Stretch], words: list[Word]) -> list[float]:
    """Of the words at the edges of stretches that were heard: seconds by which they are late."""
    normal = normaliser("en")
    said = [(word, stretch) for stretch in stretches for word in normal(stretch.text).split()]
    times = [(part, word) for word in words for part in normal(word.text).split()]
    if not said or not times:
        return []
    alignment = jiwer.process_words(
        " ".join(word for word, _ in said), " ".join(part for part, _ in times)
    )
    found = []
    for chunk in alignment.alignments[0]:
        if chunk.type != "equal":
            continue
        for at in range(chunk.ref_end_idx - chunk.ref_start_idx):
            index = chunk.ref_start_idx + at
            stretch, word = said[index][1], times[chunk.hyp_start_idx + at][1]
            if index == 0 or said[index - 1][1] is not stretch:
                found.append(word.start - stretch.start)
            if index + 1 == len(said) or said[index + 1][1] is not stretch:
                found.append(word.end - stretch.end)
    return found


if __name__ == "__main__":
    typer.run(main)
