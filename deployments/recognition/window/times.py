"""When words were said: what alignment found, made such that it can have been so.

Alignment is good to a tenth of a second, better than Whisper's timestamps. But it gives pauses to
the word before them, several words the same moment where they were swallowed, and where a text is
not what was said its times mean little. So words stay near their segment, end where speech ends,
follow each other, and none is shorter than can be heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployments.recognition.window.speech import Speech
from interchange.transcript import Segment, Word

LEAST_WORD_S = 0.04
"""No word is shorter, as long as there is room for all."""
NEAR_S = 1.0
"""How far alignment is believed beyond the timestamps around a segment."""
_LETTER_S = 0.05
"""What words without a length take of free time beside them, a letter."""


def placed(segments: Sequence[Segment], speech: Speech, length: float) -> list[Segment]:
    """Segments, in order, and their words at times that can have been so.

    All times are seconds from the start of a window of `length` seconds; words come as aligned.
    """
    words = [
        _trimmed(_near(word, segment, length), speech)
        for segment in segments
        for word in segment.words
    ]
    spread = iter(_spread(_ordered(words), length))
    moved = [
        replace(segment, words=tuple(next(spread) for _ in segment.words)) for segment in segments
    ]
    return _around_words(moved, length)


def _near(word: Word, segment: Segment, length: float) -> Word:
    first, last = max(0.0, segment.start - NEAR_S), min(length, segment.end + NEAR_S)
    start = min(max(word.start, first), last)
    return replace(word, start=start, end=min(max(word.end, start), last))


def _trimmed(word: Word, speech: Speech) -> Word:
    """A word without the silence before and behind it."""
    start, end = word.start, word.end
    for first, last in speech.spans:
        if first <= start < last:
            end = min(end, last)
        elif start < first < end <= last:
            start = first
    return replace(word, start=start, end=end)


def _ordered(words: Sequence[Word]) -> list[Word]:
    """Words of which none begins before the one ahead of it, or ends after the next one begins."""
    starts: list[float] = []
    for word in words:
        starts.append(max(word.start, starts[-1] if starts else 0.0))
    ends = [*starts[1:], float("inf")][: len(starts)]
    return [
        replace(word, start=start, end=max(start, min(word.end, end)))
        for word, start, end in zip(words, starts, ends, strict=True)
    ]


# -------------------------------------------------------------------------------- spreading


@dataclass(slots=True)
class _Block:
    """Consecutive words that share a stretch of time."""

    words: list[Word]
    start: float
    end: float

    @property
    def letters(self) -> int:
        return sum(_letters(word) for word in self.words)

    @property
    def wanted(self) -> float:
        """Time that its words would take, were they said at a usual pace."""
        return max(LEAST_WORD_S * len(self.words), _LETTER_S * self.letters)

    @property
    def spare(self) -> float:
        """Time beyond what its words need at least."""
        return self.end - self.start - LEAST_WORD_S * len(self.words)

    def spread(self) -> list[Word]:
        """The words side by side: each its least, and of the rest a share by its letters."""
        if len(self.words) == 1:
            return [replace(self.words[0], start=self.start, end=self.end)]
        time = self.end - self.start
        least = min(LEAST_WORD_S, time / len(self.words))
        share = (time - least * len(self.words)) / self.letters
        found, at = [], self.start
        for word in self.words:
            until = min(at + least + share * _letters(word), self.end)
            found.append(replace(word, start=at, end=until))
            at = until
        return found


def _letters(word: Word) -> int:
    return max(1, len(word.text.strip()))


def _spread(words: Sequence[Word], length: float) -> list[Word]:
    """Words in order with time for each: first of what is free beside them, then of neighbours'."""
    blocks: list[_Block] = []
    for word in words:
        block = _Block([word], word.start, word.end)
        if blocks and block.spare < 0 and blocks[-1].spare < 0 and block.start == blocks[-1].end:
            blocks[-1].words.append(word)
            blocks[-1].end = word.end
        else:
            blocks.append(block)
    at = 0
    while at < len(blocks):
        if blocks[at].spare < 0:
            _widen(blocks, at, length)
        if blocks[at].spare < 0 and len(blocks) > 1:
            at = _merge(blocks, at)
        else:
            at += 1
    return [word for block in blocks for word in block.spread()]


def _widen(blocks: list[_Block], at: int, length: float) -> None:
    """Give a block what its words want of the free time beside it, or else of its neighbours'."""
    block = blocks[at]
    before = blocks[at - 1] if at else None
    after = blocks[at + 1] if at + 1 < len(blocks) else None
    free_until = after.start if after else length
    block.end = min(free_until, max(block.end, block.start + block.wanted))
    block.start = max(before.end if before else 0.0, min(block.start, block.end - block.wanted))
    if after and block.spare < 0 < after.spare:
        block.end = after.start = block.end + _share(block, after)
    if before and block.spare < 0 < before.spare:
        block.start = before.end = block.start - _share(block, before)


def _share(block: _Block, neighbour: _Block) -> float:
    """What a neighbour gives of its time, so that it keeps as much a letter."""
    fair = neighbour.spare * block.letters / (block.letters + neighbour.letters)
    return min(block.wanted - (block.end - block.start), fair)


def _merge(blocks: list[_Block], at: int) -> int:
    """Join a block with the neighbour that has more time to share; where the whole is now."""
    spares = {i: blocks[i].spare for i in (at - 1, at + 1) if 0 <= i < len(blocks)}
    first = min(at, max(spares, key=spares.__getitem__))
    one, two = blocks[first : first + 2]
    blocks[first : first + 2] = [_Block(one.words + two.words, one.start, two.end)]
    return first


# --------------------------------------------------------------------------------- segments


def _around_words(segments: list[Segment], length: float) -> list[Segment]:
    """Segments that hold their words, and of those with words none reaches into the next one's."""
    found: list[Segment] = []
    for segment in segments:
        start, end = _bounds(segment, length)
        if found and segment.words and found[-1].words:
            last = found[-1]
            until = max(last.words[-1].end, min(last.end, segment.words[0].start))
            found[-1] = replace(last, end=until)
            start = max(start, until)
        found.append(replace(segment, start=start, end=end))
    return found


def _bounds(segment: Segment, length: float) -> tuple[float, float]:
    if segment.words:
        return (
            min(segment.start, segment.words[0].start),
            max(segment.end, segment.words[-1].end),
        )
    end = min(length, max(segment.end, segment.start + LEAST_WORD_S))
    return max(0.0, min(segment.start, end - LEAST_WORD_S)), end
