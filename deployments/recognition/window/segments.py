"""From tokens to segments."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from deployments.recognition.window.questions import Decoded
from deployments.recognition.window.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class TokenSegment:
    """Text tokens between two timestamps; seconds from the start of what was decoded.

    `end` is None where decoding ended before a closing timestamp. `logprobs` has one value a
    token.
    """

    start: float
    end: float | None
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]


def split_segments(decoded: Decoded, vocabulary: Vocabulary) -> list[TokenSegment]:
    """Cut a decoding at its timestamps. Stretches without text leave nothing."""
    segments: list[TokenSegment] = []
    start = 0.0
    text: list[tuple[int, float]] = []

    def close(end: float | None) -> None:
        if text:
            tokens, logprobs = zip(*text, strict=True)
            segments.append(TokenSegment(start, end, tokens, logprobs))
            text.clear()

    for token, logprob in zip(decoded.tokens, decoded.logprobs, strict=True):
        if vocabulary.is_timestamp(token):
            seconds = vocabulary.seconds(token)
            close(seconds)
            start = seconds
        elif token < vocabulary.eot:
            text.append((token, logprob))
    close(None)
    return segments


def text_span(
    decoded: Decoded, first: int, end: int, vocabulary: Vocabulary
) -> tuple[float, float | None]:
    """The timestamps around the tokens of text from `first` to `end`; None if none follows."""
    start, seen = 0.0, 0
    for token in decoded.tokens:
        if token < vocabulary.eot:
            seen += 1
        elif vocabulary.is_timestamp(token):
            if seen <= first:
                start = vocabulary.seconds(token)
            elif seen >= end:
                return start, vocabulary.seconds(token)
    return start, None


def without_text(decoded: Decoded, first: int, end: int, vocabulary: Vocabulary) -> Decoded:
    """A decoding without its tokens of text from `first` to `end`; timestamps stay."""
    kept: list[int] = []
    seen = 0
    for index, token in enumerate(decoded.tokens):
        is_text = token < vocabulary.eot
        if not (is_text and first <= seen < end):
            kept.append(index)
        seen += is_text
    return replace(
        decoded,
        tokens=tuple(decoded.tokens[index] for index in kept),
        logprobs=tuple(decoded.logprobs[index] for index in kept),
        given=sum(index < decoded.given for index in kept),
    )


def without(
    segments: Sequence[TokenSegment], unsaid: Collection[int], starts: Sequence[float]
) -> tuple[list[TokenSegment], list[list[float]]]:
    """Segments without some of their tokens, which are counted over all of them.

    `starts` are the times of all tokens and of the end. With each segment that has tokens left
    come the times of these and of its end.
    """
    kept: list[TokenSegment] = []
    times: list[list[float]] = []
    first = 0
    for segment in segments:
        end = first + len(segment.tokens)
        indices = [index for index in range(first, end) if index not in unsaid]
        if indices:
            kept.append(
                replace(
                    segment,
                    tokens=tuple(segment.tokens[index - first] for index in indices),
                    logprobs=tuple(segment.logprobs[index - first] for index in indices),
                )
            )
            times.append([*(starts[index] for index in indices), starts[end]])
        first = end
    return kept, times
