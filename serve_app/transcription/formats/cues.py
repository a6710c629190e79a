"""Cutting a transcript into subtitles that can be read.

The limits are those that broadcasters' guides agree on: two lines of 42 columns, and no cue
longer than 7 s.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from interchange.transcript import Transcript
from serve_app.transcription.formats.pieces import Piece, pieces, width

LINE_COLUMNS = 42
LINES = 2
CUE_SECONDS = 7.0
PAUSE_SECONDS = 1.0
"""A silence this long between two words ends a cue."""

_MINIMUM_SECONDS = 0.001
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
_CLAUSE_ENDS = (*_SENTENCE_ENDS, ",", ";", ":", "、", "，", "；")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: `start` < `end` in seconds, one or two lines without markup."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str | None = None


def cues(transcript: Transcript) -> Iterator[Cue]:
    """The cues of a transcript, in order, none starting before the one ahead of it."""
    previous = 0.0
    for group in _groups(pieces(transcript)):
        lines = break_lines([piece.text for piece in group])
        if not lines:
            continue
        start = max(previous, group[0].start)
        end = max(start + _MINIMUM_SECONDS, group[-1].end)
        previous = start
        yield Cue(start, end, lines, group[0].speaker)


def _groups(stream: Iterator[Piece]) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    for piece in stream:
        if group and _must_break(group, piece):
            ready, group = _give_back(group, piece)
            yield ready
        group.append(piece)
        if piece.ends_segment and _is_full_enough(group):
            yield group
            group = []
    if group:
        yield group


def _must_break(group: list[Piece], piece: Piece) -> bool:
    last = group[-1]
    return (
        piece.speaker != last.speaker
        or piece.start - last.end >= PAUSE_SECONDS
        or not _fits([*group, piece])
    )


def _fits(group: list[Piece]) -> bool:
    if group[-1].end - group[0].start > CUE_SECONDS and len(group) > 1:
        return False
    return len(break_lines([piece.text for piece in group])) <= LINES


def _give_back(group: list[Piece], piece: Piece) -> tuple[list[Piece], list[Piece]]:
    """Cut a full cue after its last clause rather than in the middle of one.

    Returns what becomes a cue, and what goes on to the next one with `piece`.
    """
    forced = piece.speaker == group[-1].speaker and piece.start - group[-1].end < PAUSE_SECONDS
    if forced:
        for index in range(len(group) - 1, len(group) // 2, -1):
            if group[index].text.endswith(_CLAUSE_ENDS) and _fits([*group[index + 1 :], piece]):
                return group[: index + 1], group[index + 1 :]
    return group, []


def _is_full_enough(group: list[Piece]) -> bool:
    """Whether a cue may end with this segment: very short ones are joined to the next."""
    text = "".join(piece.text for piece in group).rstrip()
    return text.endswith(_SENTENCE_ENDS) or width(text) > LINE_COLUMNS // 2


def break_lines(texts: list[str]) -> tuple[str, ...]:
    """Words as balanced lines of at most 42 columns; a longer word has a line of its own."""
    whole = _line(texts)
    if not whole:
        return ()
    if width(whole) <= LINE_COLUMNS:
        return (whole,)
    halves = ((_line(texts[:cut]), _line(texts[cut:])) for cut in range(1, len(texts)))
    fitting = [pair for pair in halves if max(map(width, pair)) <= LINE_COLUMNS]
    if fitting:
        return min(fitting, key=lambda pair: abs(width(pair[0]) - width(pair[1])))
    return _greedy(texts)


def _greedy(texts: list[str]) -> tuple[str, ...]:
    lines: list[str] = []
    line: list[str] = []
    for text in texts:
        if line and width(_line([*line, text])) > LINE_COLUMNS:
            lines.append(_line(line))
            line = []
        line.append(text)
    lines.append(_line(line))
    return tuple(line for line in lines if line)


def _line(texts: list[str]) -> str:
    return " ".join("".join(texts).split())
