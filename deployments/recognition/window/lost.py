"""Speech that a decoding left out, and where to decode it again by itself."""

from collections.abc import Iterator, Sequence

from deployments.recognition.window.questions import Piece
from deployments.recognition.window.speech import Speech
from interchange.stages import SAMPLE_RATE
from interchange.transcript import Word

LOST_SPEECH_S = 1.0
"""Speech without words that is worth another decoding."""
SLOW = 2.5
"""Tokens a second of speech. Where there are fewer, alignment tells whether some are missing."""
_LEAST_SLOW_S = 2.5
_LEAST_PROGRESS_S = 1.0
_LEAST_HALF_S = 1.0
_LONG_GAP_S = 8.0
_LEAD_S = 0.3  # of silence before speech that is decoded with it
_WORD_S = 0.4  # the longest that a word lasts, and for each of its letters
_LETTER_S = 0.12

Span = tuple[float, float]
"""Seconds from the window's start."""


def slow(tokens: int, span: Span, speech: Speech) -> bool:
    """Whether a text is so short for its speech that it may not be all of it."""
    heard = speech.within(*span)
    return heard >= _LEAST_SLOW_S and tokens < SLOW * heard


def covered(words: Sequence[Word]) -> list[Span]:
    """When the words of a segment were said, as aligned.

    Alignment leaves no time between words, so that one beside lost speech lasts too long. The
    first word ends when it should and began later; the others began when they should.
    """
    spans = []
    for index, word in enumerate(words):
        most = _WORD_S + _LETTER_S * len(word.text.strip())
        if index:
            spans.append((word.start, min(word.end, word.start + most)))
        else:
            spans.append((max(word.start, word.end - most), word.end))
    return spans


def gaps(piece: Piece, found: Sequence[Span], speech: Speech) -> Iterator[Piece]:
    """The parts of a piece beside what was found, in order, that hold speech."""
    first, last = seconds(piece)
    edges = [first, *(edge for span in sorted(found) for edge in span), last]
    at = first
    for end, following in zip(edges[::2], edges[1::2], strict=True):
        at = max(at, end)
        if speech.within(at, following) >= LOST_SPEECH_S:
            # What precedes speech is silence that nobody has to look at.
            gap = samples(max(at, speech.next_start(at) - _LEAD_S), following)
            if piece.length - gap.length >= _LEAST_PROGRESS_S * SAMPLE_RATE:
                yield gap


def shorter(gap: Piece, speech: Speech) -> tuple[Piece, ...]:
    """A gap cut in two in a pause, a long one near its middle, or as it is where it is short.

    What made a decoding leave most of a piece out would have it leave out most of the gap.
    """
    start, end = seconds(gap)
    pauses = [
        (a, b)
        for a, b in speech.pauses()
        if a - start >= _LEAST_HALF_S and end - b >= _LEAST_HALF_S
    ]
    if end - start < _LONG_GAP_S or not pauses:
        return (gap,)

    def worth(pause: Span) -> float:
        middle = (pause[0] + pause[1]) / 2
        return (pause[1] - pause[0]) * min(middle - start, end - middle)

    best = max(pauses, key=worth)
    cut = (best[0] + best[1]) / 2
    return samples(start, cut), samples(cut, end)


def samples(start: float, end: float) -> Piece:
    return Piece(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))


def seconds(piece: Piece) -> Span:
    return piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE
