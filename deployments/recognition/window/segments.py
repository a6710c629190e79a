"""From tokens to segments."""

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


def first_text_tokens(decoded: Decoded, count: int, vocabulary: Vocabulary) -> Decoded:
    """A decoding cut behind its first `count` tokens of text."""
    seen = 0
    for index, token in enumerate(decoded.tokens):
        seen += token < vocabulary.eot
        if seen == count:
            return replace(
                decoded,
                tokens=decoded.tokens[: index + 1],
                logprobs=decoded.logprobs[: index + 1],
                end_logprob=None,
            )
    return decoded
