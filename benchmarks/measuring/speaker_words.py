"""Word errors that count who said a word, by meeteval (cpWER: https://arxiv.org/abs/2004.09249).

All that a speaker says is compared with all that the reference gives to one, under the pairing of
speakers that makes the fewest errors: a word given to another counts twice, as missing from one
and put in at the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring.text_errors import normaliser

TIME_COLLAR_S = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a speaker said from `start` to `end`, in seconds."""

    speaker: str
    start: float
    end: float
    text: str


def speaker_word_errors(
    reference: Iterable[Said], heard: Iterable[Said], language: str = "en"
) -> tuple[int, int]:
    """Errors, and the words of the reference, both after Whisper's normaliser."""
    from meeteval.wer.wer.cp import cp_word_error_rate  # noqa: PLC0415 - of the bench extra

    found = cp_word_error_rate(_lines(reference, language), _lines(heard, language))
    return int(found.errors), int(found.length)


def attribution_errors(
    reference: Iterable[Said], heard: Iterable[Said], language: str = "en"
) -> tuple[int, int]:
    """Errors by tcpWER, a word of another time than `TIME_COLLAR_S` away being another word, and
    by ORC-WER, which gives each sentence to whomever it fits: what the first has above the second
    are words with the wrong speaker, or at the wrong time."""
    from meeteval.wer.wer.orc import orc_word_error_rate  # noqa: PLC0415 - of the bench extra
    from meeteval.wer.wer.time_constrained import (  # noqa: PLC0415
        time_constrained_minimum_permutation_word_error_rate as tcp_word_error_rate,
    )

    lines = _lines(reference, language), _lines(heard, language)
    timed = tcp_word_error_rate(*lines, collar=TIME_COLLAR_S)
    return int(timed.errors), int(orc_word_error_rate(*lines).errors)


def read_stm(path: Path) -> list[Said]:
    """The lines of an STM file (NIST): recording, channel, speaker, start, end, words."""
    said = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith(";;"):
            continue
        _, _, speaker, start, end, *text = line.split(maxsplit=5)
        said.append(Said(speaker, float(start), float(end), "".join(text)))
    return said


def _lines(said: Iterable[Said], language: str) -> object:
    from meeteval.io.seglst import SegLST  # noqa: PLC0415 - of the bench extra

    normal = normaliser(language)
    lines: Sequence[dict[str, object]] = [
        {
            "session_id": "recording",
            "speaker": each.speaker,
            "start_time": each.start,
            "end_time": each.end,
            "words": normal(each.text),
        }
        for each in sorted(said, key=lambda each: each.start)
    ]
    return SegLST(list(lines))
