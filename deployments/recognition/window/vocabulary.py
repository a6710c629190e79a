"""The special tokens of a Whisper checkpoint, by what they mean.

Whisper's vocabulary is laid out in this order: text, `eot`, `sot`, languages, tasks and other
marks, `no_timestamps`, and then one token for each 0.02 s from 0 to 30 s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

from interchange.errors import InvalidOption, ServerError
from interchange.stages import Task

SECONDS_PER_TIMESTAMP = 0.02


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Token ids. `languages` maps Whisper's codes to theirs; it is empty for an English model."""

    size: int
    sot: int
    eot: int
    previous: int
    no_speech: int
    no_timestamps: int
    languages: Mapping[str, int]
    tasks: Mapping[str, int]
    suppressed: tuple[int, ...]
    suppressed_at_begin: tuple[int, ...]
    max_initial_timestamp: int | None

    @property
    def timestamp_begin(self) -> int:
        """The id of <|0.00|>."""
        return self.no_timestamps + 1

    @property
    def multilingual(self) -> bool:
        return bool(self.languages)

    def is_timestamp(self, token: int) -> bool:
        return token >= self.timestamp_begin

    def seconds(self, timestamp: int) -> float:
        return (timestamp - self.timestamp_begin) * SECONDS_PER_TIMESTAMP

    def language_token(self, language: str) -> int:
        """Raises InvalidOption for a code that the model does not know."""
        try:
            return self.languages[language]
        except KeyError as error:
            known = ", ".join(sorted(self.languages))
            raise InvalidOption(
                f"The model knows no language {language!r}; it knows {known}.", "language"
            ) from error

    def start_of_transcript(self, language: str, task: Task) -> tuple[int, ...]:
        """The tokens that say in which language and with which task to go on."""
        if not self.multilingual:
            return (self.sot,)
        return (self.sot, self.language_token(language), self.tasks[task])

    @classmethod
    def of(cls, model: Any) -> "Vocabulary":
        """That of a `transformers` WhisperForConditionalGeneration."""
        config, generation = model.config, model.generation_config
        multilingual = bool(getattr(generation, "is_multilingual", True))
        languages = getattr(generation, "lang_to_id", None) or {}
        no_timestamps = generation.no_timestamps_token_id
        eot = generation.eos_token_id
        # Whisper's layout puts three marks before <|notimestamps|>: previous text, no speech.
        return cls(
            size=config.vocab_size,
            sot=generation.decoder_start_token_id,
            eot=eot[0] if isinstance(eot, list) else eot,
            previous=getattr(generation, "prev_sot_token_id", None) or no_timestamps - 2,
            no_speech=no_timestamps - 1,
            no_timestamps=no_timestamps,
            languages={name.strip("<|>"): id_ for name, id_ in languages.items()}
            if multilingual
            else {},
            tasks=dict(getattr(generation, "task_to_id", None) or {}) if multilingual else {},
            suppressed=tuple(generation.suppress_tokens or ()),
            suppressed_at_begin=tuple(generation.begin_suppress_tokens or ()),
            max_initial_timestamp=getattr(generation, "max_initial_timestamp_index", None),
        )


class Tokenizer(Protocol):
    """The part of a `transformers` tokenizer that is used here."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...
    def decode(self, token_ids: list[int]) -> str: ...
    def convert_ids_to_tokens(self, ids: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Text:
    """What turns tokens into text and back, of one checkpoint.

    `prompt_limit` is how many tokens of a prompt the decoder takes. `terms` are names and terms
    that every recording may hold.
    """

    vocabulary: Vocabulary
    tokenizer: Tokenizer
    prompt_limit: int
    terms: tuple[str, ...] = ()

    def of(self, tokens: tuple[int, ...]) -> str:
        return self.tokenizer.decode([t for t in tokens if t < self.vocabulary.eot])

    def content(self, token: int) -> tuple[int, ...]:
        """The bytes that a token of text stands for."""
        return tuple(_bytes()[char] for char in self.tokenizer.convert_ids_to_tokens(token))

    def prompt(self, prompt: str | None) -> tuple[tuple[int, ...], int]:
        """The tokens of the terms and a prompt, and how many were left out at the front.

        It reads as if the transcript followed it. What is left out is the service's before the
        request's.
        """
        listed = f"{', '.join(self.terms)}." if self.terms else ""
        whole = f"{listed} {(prompt or '').strip()}".strip()
        if not whole:
            return (), 0
        tokens = self.tokenizer.encode(f" {whole}", add_special_tokens=False)
        return tuple(tokens[-self.prompt_limit :]), max(0, len(tokens) - self.prompt_limit)

    def said(self, text: str | None) -> tuple[int, ...]:
        """The tokens of a transcript that begins with a text; none where it is so long that what
        follows might find no room."""
        if not text or not text.strip():
            return ()
        tokens = self.tokenizer.encode(f" {text.strip()}", add_special_tokens=False)
        fits = len(tokens) <= self.prompt_limit // 2
        return (self.vocabulary.timestamp_begin, *tokens) if fits else ()

    def with_terms(self, terms: tuple[str, ...]) -> "Text":
        """Raises ServerError for more terms than the decoder takes."""
        text = replace(self, terms=terms)
        _, left_out = text.prompt(None)
        if left_out:
            raise ServerError(
                f"The vocabulary of {len(terms)} terms takes {self.prompt_limit + left_out} "
                f"tokens, and the model reads {self.prompt_limit}: leave some of them out."
            )
        return text


@cache
def _bytes() -> Mapping[str, int]:
    """The byte behind each character by which Whisper's vocabulary, GPT-2's, writes bytes."""
    # Needed where a request asks for log-probabilities only.
    from transformers.convert_slow_tokenizer import bytes_to_unicode  # noqa: PLC0415

    return {char: byte for byte, char in bytes_to_unicode().items()}
