"""What a text says again and again: people do, and so does a decoder that has lost its way."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST = 4
"""Times that a phrase may be said without a second look."""
_LEAST_TOKENS = 16
_LONGEST = 24  # tokens of a phrase
_FASTEST = 8.0  # tokens a second that can be said
_LIKELY = 3.0  # tokens a second that are said, pauses counted in
_NO_TIME = 0.25  # of what the phrase usually takes


@dataclass(frozen=True, slots=True)
class Repeat:
    """The tokens from `start` to `end` say the same `size` tokens again and again, the last time
    maybe not to their end."""

    start: int
    end: int
    size: int


def repeats(tokens: Sequence[int]) -> list[Repeat]:
    """Where a text says a phrase more than four times, in order and without overlap."""
    found = []
    at = 0
    while at < len(tokens):
        sizes = range(1, min(_LONGEST, (len(tokens) - at) // (MOST + 1)) + 1)
        ends = [(_end_of_repeat(tokens, at, size), size) for size in sizes]
        best = max(((end, -size) for end, size in ends if _is_repeat(end - at, size)), default=None)
        if best is None:
            at += 1
        else:
            found.append(Repeat(at, best[0], -best[1]))
            at = best[0]
    return found


def said_once(tokens: Sequence[int], found: Sequence[Repeat]) -> list[int]:
    """A text in which each repeated phrase stands once."""
    kept: list[int] = []
    at = 0
    for repeat in found:
        kept += tokens[at : repeat.start + repeat.size]
        at = repeat.end
    return [*kept, *tokens[at:]]


def surplus(tokens: Sequence[int], starts: Sequence[float]) -> set[int]:
    """Tokens of repeats that were not said: alignment has no time for them.

    `starts` are the tokens' times and that of the end. A decoder that goes by what it has written
    says a phrase once more than it hears it; all of that copy is then aligned to one moment.
    """
    found: set[int] = set()
    for repeat in repeats(tokens):
        last = repeat.end - repeat.size
        lengths = [starts[at + repeat.size] - starts[at] for at in range(repeat.start, last + 1)]
        usual = sorted(lengths, reverse=True)[len(lengths) // 4]
        at = repeat.start
        while at <= last:
            if lengths[at - repeat.start] < _NO_TIME * usual:
                found.update(range(at, at + repeat.size))
                at += repeat.size
            else:
                at += 1
    return found


def can_be_said(tokens: int, speech_s: float) -> bool:
    """Whether so many tokens fit into so many seconds of speech."""
    return tokens <= _FASTEST * speech_s


def endless(tokens: Sequence[int], seconds: float) -> bool:
    """Whether a decoding that goes on repeats itself, more often than `seconds` of audio can
    likely hold: it would run to the limit."""
    for size in range(1, min(_LONGEST, len(tokens) // 2) + 1):
        at = len(tokens) - size
        while at >= size and tokens[at - size : at] == tokens[len(tokens) - size :]:
            at -= size
        repeated = len(tokens) - at
        if _is_repeat(repeated, size) and repeated > _LEAST_TOKENS + _LIKELY * seconds:
            return True
    return False


def _end_of_repeat(tokens: Sequence[int], start: int, size: int) -> int:
    end = start + size
    while end < len(tokens) and tokens[end] == tokens[end - size]:
        end += 1
    return end


def _is_repeat(tokens: int, size: int) -> bool:
    return tokens > MOST * size and tokens > _LEAST_TOKENS
