import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.recognition.window.questions import Decoded
from deployments.recognition.window.segments import (
    TokenSegment,
    first_text_tokens,
    split_segments,
)
from tests.unit.deployments.recognition.model.test_rules import SMALL

T = SMALL.timestamp_begin


def decoded(*tokens: int, end_logprob: float | None = -0.5) -> Decoded:
    """Each token with a log-probability that tells which it is."""
    return Decoded(tokens, tuple(-token / 100 for token in tokens), end_logprob, 0.1)


def segment(start: float, end: float | None, *tokens: int) -> TokenSegment:
    return TokenSegment(start, end, tokens, tuple(-token / 100 for token in tokens))


def test_segments_lie_between_their_timestamps() -> None:
    assert split_segments(decoded(T, 1, 2, T + 5, T + 5, 3, T + 10), SMALL) == [
        segment(0.0, 0.1, 1, 2),
        segment(0.1, 0.2, 3),
    ]


def test_a_gap_between_segments_stays_one() -> None:
    first, second = split_segments(decoded(T + 1, 1, T + 2, T + 8, 2, T + 9), SMALL)
    assert (first.start, first.end) == pytest.approx((0.02, 0.04))
    assert (second.start, second.end) == pytest.approx((0.16, 0.18))


def test_a_segment_without_a_closing_timestamp_has_no_end() -> None:
    assert split_segments(decoded(T + 5, 1, 2), SMALL) == [segment(0.1, None, 1, 2)]


def test_text_without_timestamps_starts_at_the_beginning() -> None:
    assert split_segments(decoded(1, 2), SMALL) == [segment(0.0, None, 1, 2)]


def test_stretches_without_text_leave_nothing() -> None:
    assert split_segments(decoded(T, T + 3, T + 3), SMALL) == []
    assert split_segments(decoded(), SMALL) == []


def test_special_tokens_are_no_text() -> None:
    assert split_segments(decoded(T, 1, SMALL.sot, 2, T + 1), SMALL) == [segment(0.0, 0.02, 1, 2)]


@given(st.lists(st.integers(0, SMALL.eot - 1) | st.integers(T, SMALL.size - 1)))
def test_all_text_is_in_some_segment_in_order(tokens: list[int]) -> None:
    segments = split_segments(decoded(*tokens), SMALL)
    assert [t for each in segments for t in each.tokens] == [t for t in tokens if t < SMALL.eot]
    assert all(len(each.tokens) == len(each.logprobs) > 0 for each in segments)
    assert all(each.end is not None for each in segments[:-1])


def test_a_decoding_is_cut_behind_its_first_tokens_of_text() -> None:
    whole = decoded(T, 1, T + 5, T + 5, 2, 3, T + 9)
    assert first_text_tokens(whole, 2, SMALL) == decoded(T, 1, T + 5, T + 5, 2, end_logprob=None)
    assert first_text_tokens(whole, 4, SMALL) == whole


def test_the_mean_logprob_counts_the_end_as_a_token() -> None:
    assert Decoded((1, 2), (-0.5, -1.0), -0.3, 0.0).avg_logprob == pytest.approx(-0.6)
    assert Decoded((1, 2), (-0.5, -1.0), None, 0.0).avg_logprob == pytest.approx(-0.5)
    assert Decoded((), (), -2.0, 0.0).avg_logprob == -2.0
