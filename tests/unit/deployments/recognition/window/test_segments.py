import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.recognition.window.questions import Decoded
from deployments.recognition.window.segments import (
    TokenSegment,
    split_segments,
    text_span,
    without,
    without_text,
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


WHOLE = decoded(T, 1, T + 5, T + 6, 2, 3, 4, T + 9, T + 9, 5)


@pytest.mark.parametrize(
    ("first", "end", "span"),
    [
        pytest.param(0, 1, (0.0, 0.1), id="a segment"),
        pytest.param(1, 4, (0.12, 0.18), id="another one"),
        pytest.param(2, 3, (0.12, 0.18), id="a part of one"),
        pytest.param(0, 3, (0.0, 0.18), id="parts of two"),
        pytest.param(4, 5, (0.18, None), id="without an end"),
    ],
)
def test_a_stretch_of_text_lies_between_the_timestamps_around_it(
    first: int, end: int, span: tuple[float, float | None]
) -> None:
    start, until = text_span(WHOLE, first, end, SMALL)
    assert start == pytest.approx(span[0])
    assert until == (None if span[1] is None else pytest.approx(span[1]))


def test_timestamps_stay_where_text_is_taken_out() -> None:
    assert without_text(WHOLE, 1, 3, SMALL) == decoded(T, 1, T + 5, T + 6, 4, T + 9, T + 9, 5)
    assert without_text(WHOLE, 2, 2, SMALL) == WHOLE


def test_segments_lose_the_tokens_that_were_not_said_and_their_times() -> None:
    segments = [segment(0.0, 0.1, 1, 2, 3), segment(0.1, 0.2, 4), segment(0.2, 0.3, 5, 6)]
    starts = [0.0, 0.03, 0.06, 0.1, 0.2, 0.25, 0.3]
    assert without(segments, {1, 3}, starts) == (
        [segment(0.0, 0.1, 1, 3), segment(0.2, 0.3, 5, 6)],
        [[0.0, 0.06, 0.1], [0.2, 0.25, 0.3]],
    )


def test_the_mean_logprob_counts_the_end_as_a_token() -> None:
    assert Decoded((1, 2), (-0.5, -1.0), -0.3, 0.0).avg_logprob == pytest.approx(-0.6)
    assert Decoded((1, 2), (-0.5, -1.0), None, 0.0).avg_logprob == pytest.approx(-0.5)
    assert Decoded((), (), -2.0, 0.0).avg_logprob == -2.0
