from pathlib import Path

import pytest

from configs.settings import RecognitionSettings
from deployments.recognition.build import terms
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.engines import build_engine
from interchange.errors import ServerError


def test_terms_come_from_the_list_and_then_from_the_file_each_once(tmp_path: Path) -> None:
    file = tmp_path / "terms.txt"
    file.write_text("# Names\nŁódź\n\n  Ada Lovelace\n", "utf-8")
    settings = RecognitionSettings(vocabulary=("Ada Lovelace", " "), vocabulary_file=file)
    assert terms(settings) == ("Ada Lovelace", "Łódź")
    assert terms(RecognitionSettings()) == ()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_file_of_terms_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "terms.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ServerError, match=r"terms\.txt cannot be read"):
        terms(RecognitionSettings(vocabulary_file=file))


@pytest.mark.slow
def test_the_engine_reads_the_terms_before_every_prompt() -> None:
    engine = build_engine(RecognitionSettings(vocabulary=("Ada Lovelace",), device="cpu"))
    assert isinstance(engine, WhisperEngine)
    tokens, left_out = engine._text.prompt("So.")
    assert (engine._text.of(tokens), left_out) == (" Ada Lovelace. So.", 0)


def test_more_terms_than_the_model_reads_stop_the_start() -> None:
    many = tuple(map(str, range(300)))
    with pytest.raises(ServerError, match=r"300 terms takes .* leave some of them out"):
        build_engine(RecognitionSettings(vocabulary=many, device="cpu"))
