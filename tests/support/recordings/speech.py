"""Real recordings with references: a folder beside the repository, where it is there, and the
two-speaker sample that pyannote.audio installs, which always is."""

import io
import json
import os
import wave
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

SPEECH = Path(
    os.environ.get("SPEECH_DIR", Path(__file__).parents[4] / "shared" / "speech")
).resolve()

needs_speech = pytest.mark.skipif(
    not (SPEECH / "manifest.jsonl").is_file(),
    reason="the folder of recordings is not beside the repository (SPEECH_DIR names another)",
)

_PYANNOTE = find_spec("pyannote.audio")  # finding it imports neither it nor torch
assert _PYANNOTE is not None
assert _PYANNOTE.origin is not None

SAMPLE = Path(_PYANNOTE.origin).parent / "sample" / "sample.wav"
"""30 s of a telephone call between two speakers."""


@dataclass(frozen=True)
class Recording:
    """One line of a manifest. `case` and `expect` are of the `hard/` and `reported/` recordings
    only, the `limit` of word errors of the latter."""

    path: Path
    name: str
    language: str | None
    text: str | None
    case: str | None
    expect: str | None
    limit: float | None = None
    speaker: str | None = None


@cache
def recordings(folder: str) -> tuple[Recording, ...]:
    """The recordings of one folder, of its own manifest or that of all; empty where is neither."""
    manifests = [SPEECH / "manifest.jsonl", SPEECH / folder / "manifest.jsonl"]
    lines = [line for each in manifests if each.is_file() for line in each.read_text().splitlines()]
    rows = map(json.loads, lines)
    return tuple(
        Recording(
            path=SPEECH / row["path"],
            name=row["path"].partition("/")[2],
            language=row["language"],
            text=row["text"],
            case=row.get("case"),
            expect=row.get("expect"),
            limit=row.get("limit"),
            speaker=row.get("speaker"),
        )
        for row in rows
        if row["path"].startswith(f"{folder}/")
    )


def part_of_sample(begin: float, end: float) -> bytes:
    """A file with that part of SAMPLE, in seconds."""
    content = io.BytesIO()
    with wave.open(str(SAMPLE)) as sample, wave.open(content, "wb") as part:
        rate = sample.getframerate()
        sample.setpos(round(begin * rate))
        part.setparams(sample.getparams())
        part.writeframes(sample.readframes(round((end - begin) * rate)))
    return content.getvalue()


def sample_words() -> list[str]:
    """What is said in SAMPLE, in order, from its reference."""
    lines = SAMPLE.with_suffix(".stm").read_text().splitlines()
    return " ".join(line.split(maxsplit=5)[5] for line in lines).split()
