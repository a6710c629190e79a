"""The account of quality: each second of a recording goes to exactly one of its sums."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interchange.transcript import Quality, Segment, WindowTranscript


def window(
    start: float, end: float, text: str = "", *, again: int = 0, no_speech: float = 0.0
) -> WindowTranscript:
    segments = (Segment(start, end, text, "en"),) if text else ()
    return WindowTranscript(
        0, start, end, segments, "en", decoded_again=again, no_speech_prob=no_speech
    )


def test_a_recording_without_windows_is_silent() -> None:
    assert Quality.of([], 3.0) == Quality(silent=3.0, silence_score=1.0)


def test_silence_is_as_sure_as_the_model_was_of_the_windows_without_words() -> None:
    quality = Quality.of([window(0, 10, " a"), window(10, 20, no_speech=0.5)], 40.0)
    assert (quality.transcribed, quality.silent) == (10.0, 30.0)
    assert quality.silence_score == pytest.approx((20 * 1 + 10 * 0.5) / 30)


def test_only_what_has_words_counts_as_decoded_again() -> None:
    quality = Quality.of([window(0, 10, " a", again=2), window(10, 20, again=1)], 20.0)
    assert quality.decoded_again == 10.0


@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["", " a"]), st.booleans()), max_size=8),
    st.integers(0, 60),
)
def test_the_sums_are_the_recording(parts: list[tuple[int, str, bool]], behind: int) -> None:
    windows, at = [], 0.0
    for length, text, failed in parts:
        windows.append(
            WindowTranscript(
                0,
                at,
                at + length,
                window(at, at + length, text).segments,
                "en",
                failed="no memory" if failed else None,
            )
        )
        at += length
    quality = Quality.of(windows, at + behind)
    assert quality.transcribed + quality.silent + quality.failed == pytest.approx(at + behind)
    assert 0 <= quality.silence_score <= 1


def test_a_prompt_that_was_too_long_is_said_once() -> None:
    windows = [window(0, 10, " a"), replace(window(10, 20, " b"), prompt_left_out=7)]
    (note,) = Quality.of(windows, 20.0).notes
    assert "7 tokens longer" in note
    assert Quality.of(windows[:1], 20.0).notes == ()
