import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.recognition.window.segments import TokenSegment
from deployments.recognition.window.words import split_words, time_words
from tests.unit.deployments.recognition.support import Whisper


def split(whisper: Whisper, text: str, language: str) -> list[str]:
    tokens = whisper.tokenizer.encode(text, add_special_tokens=False)
    words = split_words(tokens, whisper.tokenizer, language)
    assert sum(count for _, count in words) == len(tokens)
    assert all(count > 0 for _, count in words)
    return [word for word, _ in words]


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", " Hello, world!", [" Hello,", " world!"]),
        ("en", " It's well-known.", [" It's", " well", "-known."]),
        ("en", ' He said "go away" (twice).', [" He", " said", ' "go', ' away"', " (twice)."]),
        ("en", " antidisestablishmentarianism", [" antidisestablishmentarianism"]),
        ("en", ' "Why?" she asked...', [' "Why?"', " she", " asked..."]),
        ("en", " Well… (yes!).", [" Well…", " (yes!)."]),
        ("de", " Grüße über Straßen", [" Grüße", " über", " Straßen"]),
        ("es", " ¿Qué pasa?", [" ¿Qué", " pasa?"]),
        ("ru", " Привет, мир.", [" Привет,", " мир."]),
    ],
)
def test_words_stand_between_spaces_and_take_their_punctuation(
    whisper: Whisper, language: str, text: str, words: list[str]
) -> None:
    assert split(whisper, text, language) == words


@pytest.mark.parametrize(
    ("language", "text"), [("zh", "今天天气很好，我们去公园。"), ("ja", "こんにちは、世界。鰯と鯵")]
)
def test_without_spaces_words_are_whole_characters_and_punctuation_joins_what_it_follows(
    whisper: Whisper, language: str, text: str
) -> None:
    words = split(whisper, text, language)
    assert "".join(words) == text
    assert len(words) >= 5
    assert all(word[0] not in "，、。" for word in words)


@given(st.text(st.sampled_from("abc äß,.!?'\"()-今天去ありがと🙂"), max_size=30))
def test_words_are_all_of_the_text_whatever_it_is(whisper: Whisper, text: str) -> None:
    for language in ("en", "ja"):
        assert "".join(split(whisper, text, language)) == text


def test_a_character_that_was_cut_off_is_kept_as_a_word(whisper: Whisper) -> None:
    tokens = whisper.tokenizer.encode(" a🙂", add_special_tokens=False)[:-1]
    words = split_words(tokens, whisper.tokenizer, "ja")
    assert sum(count for _, count in words) == len(tokens)


def test_a_words_times_and_probability_are_those_of_its_tokens(whisper: Whisper) -> None:
    tokens = whisper.tokenizer.encode(" Hello, world!", add_special_tokens=False)
    assert len(tokens) == 4
    segment = TokenSegment(0.0, 2.0, tuple(tokens), tuple(np.log([0.5, 1.0, 0.25, 0.75])))
    words = time_words(segment, [0.1, 0.5, 0.6, 1.2, 1.3], whisper.tokenizer, "en")
    assert [(word.text, word.start, word.end) for word in words] == [
        (" Hello,", 0.1, 0.6),
        (" world!", 0.6, 1.3),
    ]
    assert [word.probability for word in words] == pytest.approx([0.75, 0.5])
