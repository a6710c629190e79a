from types import SimpleNamespace
from typing import Any

import pytest

from deployments.recognition.window.vocabulary import Text, Vocabulary
from interchange.errors import InvalidOption, ServerError
from tests.unit.deployments.recognition.model.test_rules import SMALL
from tests.unit.deployments.recognition.support import ENGLISH, Whisper


def test_the_special_tokens_are_those_that_the_tokenizer_names(whisper: Whisper) -> None:
    names = {
        "sot": "<|startoftranscript|>",
        "eot": "<|endoftext|>",
        "previous": "<|startofprev|>",
        "no_timestamps": "<|notimestamps|>",
        "timestamp_begin": "<|0.00|>",
    }
    for field, name in names.items():
        token = whisper.tokenizer.convert_tokens_to_ids(name)
        assert getattr(whisper.vocabulary, field) == token, name
    # OpenAI calls it <|nospeech|>, as later tokenizers do.
    assert whisper.tokenizer.convert_ids_to_tokens(whisper.vocabulary.no_speech) in {
        "<|nospeech|>",
        "<|nocaptions|>",
    }
    for language in ("en", "de", "zh", "su"):
        token = whisper.tokenizer.convert_tokens_to_ids(f"<|{language}|>")
        assert whisper.vocabulary.languages[language] == token
    assert len(whisper.vocabulary.languages) == 99


def test_timestamps_reach_from_0_to_30_seconds(whisper: Whisper) -> None:
    vocabulary = whisper.vocabulary
    last = vocabulary.size - 1
    assert whisper.tokenizer.convert_ids_to_tokens(last) == "<|30.00|>"
    assert vocabulary.seconds(vocabulary.timestamp_begin) == 0
    assert vocabulary.seconds(last) == pytest.approx(30)
    assert vocabulary.is_timestamp(vocabulary.timestamp_begin)
    assert not vocabulary.is_timestamp(vocabulary.no_timestamps)


def test_the_start_of_transcript_says_language_and_task(whisper: Whisper) -> None:
    assert whisper.vocabulary.start_of_transcript("en", "transcribe") == ENGLISH
    names = whisper.tokenizer.convert_ids_to_tokens(
        whisper.vocabulary.start_of_transcript("fr", "translate")
    )
    assert names == ["<|startoftranscript|>", "<|fr|>", "<|translate|>"]


def test_an_unknown_language_is_refused_with_those_that_are_known(whisper: Whisper) -> None:
    with pytest.raises(InvalidOption, match=r"no language 'tlh'; it knows af, am, ar,") as error:
        whisper.vocabulary.start_of_transcript("tlh", "transcribe")
    assert error.value.param == "language"


def checkpoint(**generation: Any) -> Any:
    defaults = {
        "no_timestamps_token_id": 50362,
        "eos_token_id": 50256,
        "decoder_start_token_id": 50257,
        "suppress_tokens": None,
        "begin_suppress_tokens": None,
    }
    return SimpleNamespace(
        config=SimpleNamespace(vocab_size=51864),
        generation_config=SimpleNamespace(**(defaults | generation)),
    )


def test_an_english_model_knows_neither_languages_nor_tasks() -> None:
    vocabulary = Vocabulary.of(checkpoint(is_multilingual=False, lang_to_id={"<|en|>": 1}))
    assert not vocabulary.multilingual
    assert vocabulary.start_of_transcript("en", "transcribe") == (50257,)
    assert vocabulary.start_of_transcript("de", "translate") == (50257,)
    # As the published tiny.en has them.
    assert (vocabulary.previous, vocabulary.no_speech) == (50360, 50361)
    assert (vocabulary.suppressed, vocabulary.suppressed_at_begin) == ((), ())
    assert vocabulary.max_initial_timestamp is None


def test_several_ends_of_text_count_as_the_first() -> None:
    assert Vocabulary.of(checkpoint(eos_token_id=[50256, 7])).eot == 50256


def test_the_checkpoints_own_mark_for_previous_text_is_used() -> None:
    assert Vocabulary.of(checkpoint(prev_sot_token_id=42)).previous == 42


class Letters:
    """A tokenizer of one token a letter."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(letter) for letter in text]

    def decode(self, token_ids: list[int]) -> str:
        return "".join(map(chr, token_ids))

    def convert_ids_to_tokens(self, ids: int) -> str:
        return chr(ids)


def letters(limit: int, *terms: str) -> Text:
    return Text(SMALL, Letters(), limit, terms)


def prompt(text: str, left_out: int = 0) -> tuple[tuple[int, ...], int]:
    return tuple(map(ord, text)), left_out


@pytest.mark.parametrize("asked", [None, "", "  \n"])
def test_no_prompt_is_no_tokens(asked: str | None) -> None:
    assert letters(10).prompt(asked) == prompt("")


def test_a_prompt_begins_like_a_word_and_keeps_its_end() -> None:
    assert letters(10).prompt(" abc\n") == prompt(" abc")
    assert letters(3).prompt("abcdef") == prompt("def", 4)


def test_the_terms_of_the_service_stand_before_every_prompt() -> None:
    assert letters(20, "Ada", "Bo Li").prompt(None) == prompt(" Ada, Bo Li.")
    assert letters(20, "Ada", "Bo Li").prompt("So.") == prompt(" Ada, Bo Li. So.")


def test_too_long_a_prompt_pushes_out_the_terms_of_the_service_first() -> None:
    assert letters(8, "Ada", "Bo Li").prompt("So.") == prompt(" Li. So.", 8)


def test_more_terms_than_the_model_reads_are_refused() -> None:
    assert letters(12).with_terms(("Ada", "Bo Li")).terms == ("Ada", "Bo Li")
    with pytest.raises(ServerError, match="2 terms takes 12 tokens, and the model reads 11"):
        letters(11).with_terms(("Ada", "Bo Li"))


@pytest.mark.parametrize("said", [" Hello there.", " 日本語 für 🙂", " naïve — “so”"])
def test_the_bytes_of_the_tokens_are_those_of_the_text(whisper: Whisper, said: str) -> None:
    text = whisper.ours.text
    tokens = text.tokenizer.encode(said, add_special_tokens=False)
    assert bytes(byte for token in tokens for byte in text.content(token)).decode() == said
