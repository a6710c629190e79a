import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.recognition.window.quality import (
    COMPRESSION_RATIO,
    compression_ratio,
    loop,
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


@pytest.mark.parametrize("unit", [[7], [7, 8], [7, 8, 9, 7], list(range(24))])
@pytest.mark.parametrize("before", [[], [1, 2, 3], [9, 9, 8]])
def test_a_loop_is_cut_so_that_what_repeats_is_said_once(
    unit: list[int], before: list[int]
) -> None:
    times = max(5, 17 // len(unit) + 1)
    assert loop([*before, *unit * times]) == len(before) + len(unit)


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param([], id="nothing"),
        pytest.param([1], id="one"),
        pytest.param([7] * 16, id="no more than sixteen tokens"),
        pytest.param(list(range(24)) * 4, id="no more than four times"),
        pytest.param(list(range(25)) * 6, id="too long a unit"),
        pytest.param([*[7] * 30, 8], id="over before the end"),
        pytest.param(list(range(200)), id="no repetition"),
    ],
)
def test_what_does_not_loop_is_not_cut(tokens: list[int]) -> None:
    assert loop(tokens) is None


@given(
    st.lists(st.integers(0, 5), max_size=30),
    st.lists(st.integers(0, 5), min_size=1, max_size=24),
    st.integers(17, 20),
)
def test_what_is_cut_off_is_the_end_said_again_and_again(
    before: list[int], unit: list[int], times: int
) -> None:
    tokens = before + unit * times
    at = loop(tokens)
    assert at is not None
    kept, cut = tokens[:at], tokens[at:]
    sizes = [s for s in range(1, 25) if kept[-s:] * (len(cut) // s) == cut and len(kept) >= s]
    assert sizes
    assert kept[-2 * sizes[0] : -sizes[0]] != kept[-sizes[0] :]


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
