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
