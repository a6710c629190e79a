"""Word error rates as Whisper's authors count them: after their normaliser.

That for English goes without its list of British spellings, which not every checkpoint has.
"""

from collections.abc import Iterable
from functools import cache

import jiwer
from transformers.models.whisper.english_normalizer import (
    BasicTextNormalizer,
    EnglishTextNormalizer,
)

_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces: their characters are counted, as in Whisper's paper."""

Pairs = Iterable[tuple[str, str]]
"""References, each with what was heard."""


def word_error_rate(pairs: Pairs, language: str = "en") -> float:
    """Edits over the words of all references together; characters where nothing parts words.

    A reference that the normaliser leaves empty does not count. Raises ValueError without any.
    """
    counted = [word_errors(*pair, language) for pair in pairs]
    words = sum(words for _, words in counted)
    if not words:
        raise ValueError("There is no reference to compare with.")
    return sum(errors for errors, _ in counted) / words


def word_errors(reference: str, heard: str, language: str = "en") -> tuple[int, int]:
    """Edits from a reference to what was heard, and the words of the reference."""
    normal = normaliser(language)
    reference, heard = normal(reference), normal(heard)
    if not reference:
        return 0, 0
    found = jiwer.process_words(reference, heard)
    edits = found.substitutions + found.deletions + found.insertions
    return edits, len(reference.split())


class Normaliser:
    """Whisper's normaliser for a language, and spaces where the language has none."""

    def __init__(self, language: str) -> None:
        self._normal = (
            EnglishTextNormalizer({})
            if language == "en"
            else BasicTextNormalizer(split_letters=language in _UNSPACED)
        )

    def __call__(self, text: str) -> str:
        return str(self._normal(text)).strip()


@cache
def normaliser(language: str) -> Normaliser:
    return Normaliser(language)
