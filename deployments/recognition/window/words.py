"""Words, out of the tokens of a segment and the times of these."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from deployments.recognition.window.segments import TokenSegment
from deployments.recognition.window.vocabulary import Tokenizer
from interchange.transcript import Word

SPACELESS = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces: there a word is the fewest tokens that make characters."""
OPENING = "\"'“¿([{-"
CLOSING = "\"'.…。,，!！?？:：”)]}、"
REPLACEMENT = "\ufffd"


def time_words(
    segment: TokenSegment, starts: Sequence[float], tokenizer: Tokenizer, language: str
) -> list[Word]:
    """The words of a segment; `starts` has a time for each token and one for the end."""
    words: list[Word] = []
    used = 0
    for text, count in split_words(segment.tokens, tokenizer, language):
        logprobs = segment.logprobs[used : used + count]
        probability = float(np.exp(logprobs).mean())
        start, end = starts[used], starts[used + count]
        words.append(Word(text, start, end, probability, token_count=count))
        used += count
    return words


# ------------------------------------------------------------------------------- splitting


def split_words(
    tokens: Sequence[int], tokenizer: Tokenizer, language: str
) -> list[tuple[str, int]]:
    """Words, each with how many tokens it has; punctuation belongs to the word beside it."""
    words: list[tuple[str, int]] = []
    for text, count in _characters(tokens, tokenizer):
        joins = language not in SPACELESS and not text.startswith(" ")
        if words and joins and not _is_punctuation(text):
            words[-1] = (words[-1][0] + text, words[-1][1] + count)
        else:
            words.append((text, count))
    return _with_punctuation(words)


def _characters(tokens: Sequence[int], tokenizer: Tokenizer) -> list[tuple[str, int]]:
    """The fewest tokens at a time that decode to whole characters."""
    units: list[tuple[str, int]] = []
    pending: list[int] = []
    for token in tokens:
        pending.append(token)
        text = tokenizer.decode(pending)
        if REPLACEMENT not in text:
            units.append((text, len(pending)))
            pending = []
    if pending:
        units.append((tokenizer.decode(pending), len(pending)))
    return units


def _with_punctuation(words: list[tuple[str, int]]) -> list[tuple[str, int]]:
    joined: list[tuple[str, int]] = []
    opening: tuple[str, int] = ("", 0)
    for text, count in words:
        bare = text.strip()
        closes = bare and all(c in CLOSING for c in bare) and not text.startswith(" ")
        if joined and not opening[1] and closes:
            joined[-1] = (joined[-1][0] + text, joined[-1][1] + count)
        elif bare and bare in OPENING and text.startswith(" "):
            opening = (opening[0] + text, opening[1] + count)
        else:
            joined.append((opening[0] + text, opening[1] + count))
            opening = ("", 0)
    if opening[1]:
        joined.append(opening)
    return joined


def _is_punctuation(text: str) -> bool:
    bare = text.strip()
    return bool(bare) and all(unicodedata.category(c).startswith(("P", "S")) for c in bare)
