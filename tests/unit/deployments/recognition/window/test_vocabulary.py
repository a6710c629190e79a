from types import SimpleNamespace
from typing import Any

import pytest

from deployments.recognition.window.vocabulary import Vocabulary
from interchange.errors import InvalidOption
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
