import pytest
from transformers.models.whisper.tokenization_whisper import LANGUAGES, TO_LANGUAGE_CODE

from serve_app.transcription.language_names import NAMES, language_name, parse_language


def test_the_table_is_whispers() -> None:
    assert NAMES == LANGUAGES


@pytest.mark.parametrize(("name", "code"), TO_LANGUAGE_CODE.items())
def test_every_name_that_whisper_accepts(name: str, code: str) -> None:
    assert parse_language(name) == code
    assert parse_language(name.upper()) == code
    assert parse_language(code) == code


def test_unknown_languages() -> None:
    with pytest.raises(ValueError, match="klingon"):
        parse_language("klingon")
    assert language_name("und") == "unknown"
    assert language_name("pt") == "portuguese"


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("zh-Hant-TW", "zh"),
        ("ZH_hans", "zh"),
        ("eng", "en"),
        ("ger", "de"),
        ("deu-AT", "de"),
        ("fil", "tl"),
        ("fil-PH", "tl"),
        ("tgl", "tl"),
        ("jv", "jw"),
        ("jav", "jw"),
        ("nb-NO", "no"),
        ("iw", "he"),
        ("arb", "ar"),
        ("zh-yue", "yue"),
    ],
)
def test_tags_mean_their_base_language(tag: str, code: str) -> None:
    assert parse_language(f" {tag} ") == code


@pytest.mark.parametrize(
    "tag", ["tlh", "en-", "en US", "x-private", "und", "en-US.UTF-8", "\ud800"]
)
def test_tags_of_no_language_of_whispers(tag: str) -> None:
    with pytest.raises(ValueError, match="not a language that Whisper knows"):
        parse_language(tag)
