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

    A reference that the normaliser leaves empty does not count.
    """
    normal = normaliser(language)
    both = [(normal(reference), normal(heard)) for reference, heard in pairs]
    both = [(reference, heard) for reference, heard in both if reference.strip()]
    if not both:
        raise ValueError("There is no reference to compare with.")
    references, heard = zip(*both, strict=True)
    return float(jiwer.wer(list(references), list(heard)))


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
