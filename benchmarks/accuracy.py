"""How right the answers are: `python -m benchmarks.accuracy`, on a running graph over HTTP.

It starts the graph itself, with the bundled models, and sends it the recordings with
references: word error rates, by speaker too, diarization error rates, and what must happen to odd
files.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.diarization.calls import calls
from benchmarks.measuring import results
from benchmarks.measuring.recordings import (
    NoSpeech,
    Spoken,
    listed,
    long_recording,
    seconds,
    spoken,
)
from benchmarks.measuring.speaker_errors import (
    COLLAR_S,
    NIST_COLLAR_S,
    NOT_FOR_SPEAKERS,
    diarization_error_rate,
    read_rttm,
)
from benchmarks.measuring.speaker_words import (
    Said,
    attribution_errors,
    read_stm,
    speaker_word_errors,
)
from benchmarks.measuring.tables import percent, table
from benchmarks.measuring.text_errors import word_error_rate
from benchmarks.systems.graph_client import PROFILE, GraphClient, running_graph
from benchmarks.systems.worker import Worker
from interchange.transcript import Turn
from tests.support.recordings.hard import fault
from tests.support.recordings.speech import SPEECH, Recording
from tests.support.running.remote import remote_server

PARTS = ("en", "multi", "long", "conversation", "calls", "hard", "alone")

_AT_ONCE = 8
_CALLS = 6
"""Of each kind."""


def main(
    parts: Annotated[str, typer.Option(help="What to measure, separated by commas.")] = ",".join(
        PARTS
    ),
    profile: Annotated[str, typer.Option(help="The profile of the graph.")] = PROFILE,
) -> None:
    """Measure word and speaker errors on a running graph."""
    chosen = parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        raise typer.BadParameter(f"There is no part {', '.join(unknown)}; there are {PARTS}.")
    try:
        found = _measure(chosen, profile)
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo(f"Written to {results.write('accuracy', found)}")


def _measure(chosen: list[str], profile: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    graph_parts: dict[str, Callable[[GraphClient], dict[str, Any]]] = {
        "en": english,
        "multi": other_languages,
        "long": long_form,
        "conversation": conversations,
        "calls": two_channels,
        "hard": odd_files,
    }
    if any(part in graph_parts for part in chosen):
        typer.echo("Starting the graph")
        with running_graph(profile) as graph:
            for part, measure in graph_parts.items():
                if part in chosen:
                    found[part] = measure(graph)
    if "alone" in chosen:
        found["alone"] = stages_alone()
    return found


# ----------------------------------------------------------------------------------- words


def english(graph: GraphClient) -> dict[str, Any]:
    """Word error rate over `en/`, the language given and detected."""
    recordings = spoken("en")
    given = _texts(graph, recordings, language="en")
    detected = _texts(graph, recordings)
    rows = {
        "language given": _word_errors(recordings, given),
        "language detected": _word_errors(recordings, detected),
    }
    print(f"\n{len(recordings)} recordings of en/")
    print(table(["", "WER"], [[name, percent(rate)] for name, rate in rows.items()]))
    return {"recordings": len(recordings), **rows}


def other_languages(graph: GraphClient) -> dict[str, Any]:
    """Word error rate a language over `multi/`, detected and given."""
    groups: dict[str, list[Spoken]] = defaultdict(list)
    for recording in spoken("multi"):
        groups[recording.language].append(recording)
    rows: dict[str, Any] = {}
    for language, recordings in sorted(groups.items()):
        given = _texts(graph, recordings, language=language)
        answers = _answers(graph, recordings)
        rows[language] = {
            "recordings": len(recordings),
            "given": _word_errors(recordings, given, language),
            "detected": _word_errors(recordings, [a["text"] for a in answers], language),
            "languages_heard": sorted({a["language"] for a in answers}),
        }
    mean = sum(row["given"] for row in rows.values()) / len(rows)
    print("\nmulti/ (characters are counted for languages without spaces)")
    print(
        table(
            ["language", "recordings", "WER, given", "WER, detected", "languages heard"],
            [
                [
                    language,
                    row["recordings"],
                    percent(row["given"]),
                    percent(row["detected"]),
                    ", ".join(row["languages_heard"]),
                ]
                for language, row in rows.items()
            ],
        )
    )
    print(f"Mean over the languages, given: {percent(mean)}")
    return {"languages": rows, "mean": mean}


def _word_errors(recordings: list[Spoken], texts: list[str], language: str = "en") -> float:
    pairs = ((each.text, text) for each, text in zip(recordings, texts, strict=True))
    return word_error_rate(pairs, language)


def _texts(graph: GraphClient, recordings: list[Spoken], **form: str) -> list[str]:
    return [answer["text"] for answer in _answers(graph, recordings, **form)]


def _answers(graph: GraphClient, recordings: list[Spoken], **form: str) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda each: graph.transcribe(each.path, **form), recordings))


# -------------------------------------------------------------------------------- speakers


def long_form(graph: GraphClient) -> dict[str, Any]:
    """The long recording: words, speakers, and the wall time of both."""
    recording = long_recording()
    (row,) = [each for each in listed("long") if each.path == recording.path]
    graph.transcribe(spoken("en")[0].path, language="en")  # whatever only the first one pays
    began = time.monotonic()
    plain = graph.transcribe(recording.path, language="en")
    without = time.monotonic() - began
    began = time.monotonic()
    both = graph.transcribe(recording.path, language="en", speakers="true")
    with_speakers = time.monotonic() - began
    rate, turns = _speaker_errors(row, both)
    measured = {
        "duration": recording.seconds,
        "seconds": without,
        "seconds_with_speakers": with_speakers,
        "wer": word_error_rate([(recording.text, plain["text"])]),
        "der": rate,
        "speakers": _speakers(turns),
    }
    print(f"\n{recording.path.name}, {recording.seconds:.0f} s")
    print(
        table(
            ["", "wall, s", "× real time", "errors"],
            [
                ["words", without, recording.seconds / without, percent(measured["wer"])],
                ["with speakers", with_speakers, recording.seconds / with_speakers, percent(rate)],
            ],
        )
    )
    return measured


def conversations(graph: GraphClient) -> dict[str, Any]:
    """Diarization error rate of each file of `conversation/`, and their mean; word errors by
    speaker where there is a reference."""
    rows: dict[str, Any] = {}
    for recording in listed("conversation"):
        if recording.path.stem == NOT_FOR_SPEAKERS:
            continue
        began = time.monotonic()
        answer = graph.transcribe(recording.path, speakers="true")
        took = time.monotonic() - began
        rate, turns = _speaker_errors(recording, answer)
        lenient, _ = _speaker_errors(recording, answer, collar=NIST_COLLAR_S)
        reference = read_rttm(recording.path.with_suffix(".rttm"))
        rows[recording.name] = {
            "seconds": answer["duration"],
            "took": took,
            "der": rate,
            "der_nist_collar": lenient,
            "speakers": _speakers(reference),
            "found": _speakers(turns),
            "speaker_words": _speaker_words(recording, answer),
            "attribution": _attribution(recording, answer),
        }
    mean, lenient = (
        sum(row[rate] for row in rows.values()) / len(rows) for rate in ("der", "der_nist_collar")
    )
    print("\nconversation/")
    print(
        table(
            ["file", "seconds", "took, s", "DER", "collar ± 0.25 s", "speakers", "found", "cpWER"],
            [
                [
                    *(name, row["seconds"], row["took"]),
                    *(percent(row["der"]), percent(row["der_nist_collar"])),
                    *(row["speakers"], row["found"]),
                    percent(_rate([row["speaker_words"]])) if row["speaker_words"] else "",
                ]
                for name, row in rows.items()
            ],
        )
    )
    print(f"Mean diarization error rate: {percent(mean)}; collar ± 0.25 s: {percent(lenient)}")
    by_speaker = _rate([row["speaker_words"] for row in rows.values() if row["speaker_words"]])
    print(f"Word errors by speaker (cpWER), over all words: {percent(by_speaker)}")
    words = sum(row["speaker_words"][1] for row in rows.values() if row["attribution"])
    timed, free = (
        sum(row["attribution"][which] for row in rows.values() if row["attribution"]) / words
        for which in (0, 1)
    )
    print(f"tcpWER: {percent(timed)}, ORC-WER: {percent(free)}, apart: {percent(timed - free)}")
    rates = {"cpwer": by_speaker, "tcpwer": timed, "orcwer": free}
    return {"files": rows, "mean": mean, "mean_nist_collar": lenient, **rates}


def two_channels(graph: GraphClient) -> dict[str, Any]:
    """Words at the right person in calls of a channel each, taken apart by `channels=separate`."""
    counted: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder:
        path = Path(folder) / "call.wav"
        for call in calls(_CALLS):
            call.write(path)
            said = _said(
                graph.transcribe(path, language="en", channels="separate", speakers="true")
            )
            errors, words = speaker_word_errors(call.said, said)
            _, anybodys = attribution_errors(call.said, said)
            counted[call.kind].append((errors, anybodys, words))
    rows: dict[str, dict[str, float]] = {}
    for kind, found in counted.items():
        errors, anybodys, words = (sum(each) for each in zip(*found, strict=True))
        # A word at the wrong person is missing from one and too many at the other.
        right = 1 - (errors - anybodys) / 2 / words
        rows[kind] = {"cpwer": errors / words, "orcwer": anybodys / words, "right": right}
    print(f"\n{_CALLS} calls of each kind, channels=separate")
    print(
        table(
            ["two readers", "cpWER", "ORC-WER", "words at the right person"],
            [[kind, *(percent(rate) for rate in row.values())] for kind, row in rows.items()],
        )
    )
    return rows


def _attribution(recording: Recording, answer: dict[str, Any]) -> tuple[int, int] | None:
    """Errors by tcpWER and by ORC-WER; None without a reference."""
    reference = recording.path.with_suffix(".stm")
    return attribution_errors(read_stm(reference), _said(answer)) if reference.is_file() else None


def _said(answer: dict[str, Any]) -> list[Said]:
    return [Said(s["speaker"] or "", s["start"], s["end"], s["text"]) for s in answer["segments"]]


def _speaker_words(recording: Recording, answer: dict[str, Any]) -> tuple[int, int] | None:
    """Errors and words, each word with its speaker; None without a reference."""
    reference = recording.path.with_suffix(".stm")
    if not reference.is_file():
        return None
    return speaker_word_errors(read_stm(reference), _said(answer))


def _rate(counted: list[tuple[int, int]]) -> float:
    return sum(errors for errors, _ in counted) / sum(words for _, words in counted)


def _speaker_errors(
    recording: Recording, answer: dict[str, Any], collar: float = COLLAR_S
) -> tuple[float, list[Turn]]:
    turns = [Turn(**turn) for turn in answer["speakers"]]
    reference = read_rttm(recording.path.with_suffix(".rttm"))
    return diarization_error_rate(reference, turns, seconds(recording.path), collar), turns


def _speakers(turns: list[Turn]) -> int:
    return len({turn.speaker for turn in turns})


# ------------------------------------------------------------------------------- odd files


def odd_files(graph: GraphClient) -> dict[str, Any]:
    """The share of `hard/` that meets what is expected, uploaded and by URL."""
    recordings = listed("hard")
    faults: dict[str, dict[str, str]] = {}
    with remote_server(SPEECH) as server:
        ways: dict[str, Callable[[Recording], Any]] = {
            "uploaded": lambda each: graph.upload(each.path, speakers="true"),
            "by URL": lambda each: graph.by_url(server.file(each.path), speakers="true"),
        }
        for way, send in ways.items():
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                answers = list(pool.map(send, recordings))
            faults[way] = {
                each.name: why
                for each, answer in zip(recordings, answers, strict=True)
                if (why := fault(each, answer)) is not None
            }
    shares = {way: 1 - len(found) / len(recordings) for way, found in faults.items()}
    print(f"\n{len(recordings)} recordings of hard/")
    print(table(["", "meet their expectation"], [[w, percent(s)] for w, s in shares.items()]))
    for way, found in faults.items():
        for name, why in found.items():
            print(f"  {way}: {name}: {why[:200]}")
    return {"recordings": len(recordings), "shares": shares, "faults": faults}


# ----------------------------------------------------------------------------------- alone


def stages_alone() -> dict[str, Any]:
    """Wall time of the long recording in the engine alone, and in the diarizer alone."""
    recording = long_recording()
    rows: dict[str, float] = {}
    for name, kind in (("recognition alone", "engine"), ("diarization alone", "diarizer")):
        with Worker(kind) as worker:
            worker.prepare([recording.path])
            rows[name] = worker.run([recording.path]).seconds
    print(f"\n{recording.path.name}, without the graph")
    print(
        table(
            ["", "wall, s", "× real time"],
            [[name, took, recording.seconds / took] for name, took in rows.items()],
        )
    )
    return rows


if __name__ == "__main__":
    typer.run(main)
