import pytest

from deployments.recognition.window.quality import (
    COMPRESSION_RATIO,
    compression_ratio,
    silent,
)

WORDS = (
    " The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well. Rice is often served in round bowls."
)


def test_plain_speech_compresses_less_than_speech_that_repeats_itself() -> None:
    assert compression_ratio(WORDS) < COMPRESSION_RATIO
    assert compression_ratio(" And then again." * 20) > COMPRESSION_RATIO
    assert compression_ratio("") == 1.0


def test_what_counts_is_bytes_and_not_characters() -> None:
    assert compression_ratio("谢谢观看" * 20) > COMPRESSION_RATIO


@pytest.mark.parametrize(
    ("no_speech_prob", "avg_logprob", "expected"),
    [
        pytest.param(0.59, -3.0, False, id="somebody speaks, and is not understood"),
        pytest.param(0.61, -1.01, True, id="Whisper's rule"),
        pytest.param(0.7, -0.99, False, id="Whisper's rule: words that are sure enough"),
        pytest.param(0.95, -0.84, True, id="you, in digital silence"),
        pytest.param(0.95, -0.5, False, id="sure words, though quite surely nobody speaks"),
        pytest.param(1.0, -0.51, True, id="at most half as unsure"),
    ],
)
def test_words_have_to_be_the_surer_the_surer_it_is_that_nobody_speaks(
    no_speech_prob: float, avg_logprob: float, expected: bool
) -> None:
    assert silent(no_speech_prob, avg_logprob) is expected
