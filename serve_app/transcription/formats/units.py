"""Text as the units that lines may break between.

Where a line may break is Unicode's line breaking algorithm (UAX 14) as ICU has it, with its
dictionaries for scripts that write no spaces (Thai, Khmer, Lao, Burmese), its phrases for Japanese
and Korean, and its strict rules: no line begins with a closing mark or a small kana.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from icu4py.breakers import CharacterBreaker, LineBreaker

from serve_app.transcription.formats.spoken import Spoken

SPACELESS = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})
"""Languages that put no spaces between words."""

_RULES = "-u-lb-strict-lw-phrase"


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of text that stays on one line, without spaces around it.

    `spaced` says whether a space parts it from the unit before, `segment` to which of Whisper's
    segments it belongs. Times are in seconds.
    """

    text: str
    spaced: bool
    start: float
    end: float
    segment: int


def units(said: Sequence[Spoken], widest: int) -> list[Unit]:
    """The units of what is said in a row; none is wider than `widest` columns.

    Within a word, or within a segment of which words are not known, time passes in proportion to
    width: speech has a nearly steady rate of letters.
    """
    if not said:
        return []
    letters = _timed_letters(said)
    text = "".join(letter.text for letter in letters)
    found = []
    at = 0
    for stretch in LineBreaker(text, said[0].language + _RULES):
        for part in _narrow(stretch.rstrip(" "), widest):
            spaced = at > 0 and text[at - 1] == " "
            first, last = letters[at], letters[at + len(part) - 1]
            found.append(Unit(part, spaced, first.start, last.end, first.segment))
            at += len(part)
        at += len(stretch) - len(stretch.rstrip(" "))
    return found


def width(text: str) -> int:
    """Columns on a screen; a Chinese, Japanese or Korean character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


@dataclass(frozen=True, slots=True)
class _Letter:
    text: str
    start: float
    end: float
    segment: int


def _timed_letters(said: Sequence[Spoken]) -> list[_Letter]:
    """The whole text with single spaces."""
    letters: list[_Letter] = []
    space = False
    for part in said:
        at = part.start
        rate = (part.end - part.start) / max(1, width(part.text.strip()))
        for letter in part.text:
            if letter.isspace():
                space = bool(letters)
                at += rate if at > part.start else 0.0
                continue
            if space:
                letters.append(_Letter(" ", at, at, part.segment))
                space = False
            letters.append(_Letter(letter, at, at + rate * width(letter), part.segment))
            at = letters[-1].end
    return letters


def _narrow(unit: str, widest: int) -> Iterator[str]:
    """A unit as it is, or one too wide for a line cut between characters as readers see them."""
    if width(unit) <= widest:
        if unit:
            yield unit
        return
    part = ""
    for character in CharacterBreaker(unit, "en"):
        if part and width(part + character) > widest:
            yield part
            part = ""
        part += character
    yield part
