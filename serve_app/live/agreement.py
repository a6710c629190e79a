"""What two hypotheses agree on, and where what was said already ends in one."""

from collections.abc import Sequence
from dataclasses import dataclass

from interchange.transcript import Segment, Token, WindowTranscript


@dataclass(frozen=True, slots=True)
class Heard:
    """A word of a hypothesis. `text` keeps its leading space; times are seconds of the session."""

    text: str
    start: float
    end: float
    tokens: tuple[Token, ...] = ()

    @property
    def bare(self) -> str:
        """What two hypotheses have to agree on: letters and digits, without case."""
        bare = "".join(filter(str.isalnum, self.text.casefold()))
        return bare or self.text.strip()


def words(transcript: WindowTranscript, start: float, end: float) -> list[Heard]:
    """The words of a window's transcript, their times clamped to `start` and `end` and in order."""
    found: list[Heard] = []
    for word in (word for segment in transcript.segments for word in _words(segment)):
        begin = min(max(word.start, start), end)
        if found:
            begin = max(begin, found[-1].start)
        found.append(Heard(word.text, begin, min(max(word.end, begin), end), word.tokens))
    return found


def _words(segment: Segment) -> list[Heard]:
    if not segment.words:
        return [Heard(segment.text, segment.start, segment.end, segment.spelled)]
    counted = sum(word.token_count for word in segment.words) == len(segment.spelled)
    found, first = [], 0
    for word in segment.words:
        # Where words do not say how many tokens they have, the first has all.
        count = word.token_count if counted else len(segment.spelled) - first
        tokens = segment.spelled[first : first + count]
        found.append(Heard(word.text, word.start, word.end, tokens))
        first += count
    return found


def agreed(before: Sequence[Heard], now: Sequence[Heard]) -> int:
    """How many words two hypotheses begin with in common."""
    count = 0
    for one, other in zip(before, now, strict=False):
        if one.bare != other.bare:
            break
        count += 1
    return count


def said_before(said: Sequence[Heard], heard: Sequence[Heard]) -> int:
    """How many words of a hypothesis tell what was said already.

    It is the beginning that takes the fewest edits to become `said`; of several the one that ends
    nearest in time.
    """
    if not said:
        return 0
    edits = list(range(len(heard) + 1))
    for row, one in enumerate(said, 1):
        above, edits[0] = edits[0], row
        for column, other in enumerate(heard, 1):
            cheapest = min(
                above + (one.bare != other.bare), edits[column] + 1, edits[column - 1] + 1
            )
            above, edits[column] = edits[column], cheapest
    until = said[-1].end

    def rank(count: int) -> tuple[int, float]:
        return edits[count], abs((heard[count - 1].end if count else said[0].start) - until)

    return min(range(len(heard) + 1), key=rank)
