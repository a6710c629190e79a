"""A transcript as small pieces of text with times: what lines and cues are made of."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from interchange.transcript import Segment, Transcript


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, or a character of a script without spaces; `text` keeps its leading space.

    `ends_segment` marks the last piece of one of Whisper's segments.
    """

    text: str
    start: float
    end: float
    speaker: str | None
    ends_segment: bool = False


def pieces(transcript: Transcript) -> Iterator[Piece]:
    """All the text, in order. Words keep their times; without them times are interpolated."""
    for segment in transcript.segments:
        found = list(_timed(segment)) if segment.words else list(_interpolated(segment))
        for index, (text, start, end, speaker) in enumerate(found):
            yield Piece(text, start, end, speaker, index == len(found) - 1)


_Timed = tuple[str, float, float, str | None]


def _timed(segment: Segment) -> Iterator[_Timed]:
    for word in segment.words:
        yield word.text, word.start, word.end, word.speaker or segment.speaker


def _interpolated(segment: Segment) -> Iterator[_Timed]:
    """Time in proportion to width: speech has a nearly steady rate of letters."""
    texts = split(segment.text)
    total = sum(width(text) for text in texts)
    at = segment.start
    for text in texts:
        until = at + (segment.end - segment.start) * width(text) / total
        yield text, at, until, segment.speaker
        at = until


def split(text: str) -> list[str]:
    """Words with the space before them; scripts without spaces by character."""
    words = re.findall(r"\s*\S+", text)
    return [part for word in words for part in (list(word) if _is_wide(word) else [word])]


def width(text: str) -> int:
    """Columns on a screen; a Chinese, Japanese or Korean character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _is_wide(word: str) -> bool:
    return any(unicodedata.east_asian_width(char) in "WF" for char in word)
