from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.recognition.window.speech import Speech
from deployments.recognition.window.times import LEAST_WORD_S, placed
from interchange.transcript import Segment, Word

ALL = Speech(((0.0, 30.0),))


def segment(start: float, end: float, *words: tuple[str, float, float]) -> Segment:
    said = tuple(Word(f" {text}", first, last, 0.9) for text, first, last in words)
    return Segment(start, end, "".join(word.text for word in said), "en", words=said)


def times(segments: list[Segment]) -> list[tuple[str, float, float]]:
    return [
        (word.text.strip(), round(word.start, 3), round(word.end, 3))
        for each in segments
        for word in each.words
    ]


def test_words_that_fit_stay_as_they_were_aligned() -> None:
    said = segment(1.0, 3.0, ("one", 1.2, 1.5), ("two", 1.5, 2.6))
    (found,) = placed([said], ALL, 10.0)
    assert found == said


def test_alignment_is_believed_beyond_a_timestamp_and_the_segments_follow() -> None:
    found = placed(
        [
            segment(6.0, 8.0, ("great", 6.5, 6.9)),
            segment(8.0, 9.0, ("and", 7.6, 7.9), ("joy", 8.2, 8.5)),
        ],
        ALL,
        10.0,
    )
    assert times(found) == [("great", 6.5, 6.9), ("and", 7.6, 7.9), ("joy", 8.2, 8.5)]
    assert [(each.start, each.end) for each in found] == [(6.0, 7.6), (7.6, 9.0)]


def test_a_run_that_would_collapse_is_spread_over_what_is_free() -> None:
    # Aligned a long way before its segment: what was said there was something else.
    said = segment(20.0, 23.0, ("one", 3.0, 3.1), ("two", 3.1, 3.2), ("three", 3.2, 22.0))
    found = times(placed([said], ALL, 30.0))
    assert found == [("one", 18.7, 18.85), ("two", 18.85, 19.0), ("three", 19.0, 22.0)]


def test_words_aligned_to_one_moment_share_their_neighbours_time() -> None:
    said = segment(
        0.0, 2.0, ("of", 0.0, 1.0), ("a", 1.0, 1.0), ("very", 1.0, 1.0), ("big", 1.0, 2.0)
    )
    found = times(placed([said], ALL, 2.0))
    assert found[0][1] == 0.0
    assert found[-1][2] == 2.0
    assert all(end - start > 0.05 for _, start, end in found)


def test_a_word_ends_where_its_speech_ends() -> None:
    speech = Speech(((0.0, 1.4), (3.0, 5.0)))
    said = segment(0.0, 5.0, ("more.", 1.0, 3.2), ("it's", 3.2, 3.5))
    assert times(placed([said], speech, 6.0)) == [("more.", 1.0, 1.4), ("it's", 3.2, 3.5)]


def test_a_word_begins_where_its_speech_begins() -> None:
    speech = Speech(((2.0, 5.0),))
    said = segment(0.0, 5.0, ("Good", 0.0, 2.4), ("morning", 2.4, 3.0))
    assert times(placed([said], speech, 6.0)) == [("Good", 2.0, 2.4), ("morning", 2.4, 3.0)]


def test_a_segment_without_words_lasts_a_moment() -> None:
    (found,) = placed([segment(5.0, 5.0)], ALL, 5.0)
    assert (found.start, found.end) == (5.0 - LEAST_WORD_S, 5.0)


_at = st.floats(0, 30)


@st.composite
def _segments(draw: st.DrawFn) -> list[Segment]:
    """In order of their timestamps; their words are aligned anywhere, as in a text made up."""
    edges = sorted(draw(st.lists(_at, min_size=2, max_size=12)))
    found = []
    for start, end in pairwise(edges):
        aligned = sorted(draw(st.lists(_at, min_size=2, max_size=13)))
        texts = draw(
            st.lists(
                st.sampled_from(["a", "word", "considerations.", "本", ""]),
                min_size=len(aligned) - 1,
                max_size=len(aligned) - 1,
            )
        )
        words = zip(texts, *zip(*pairwise(aligned), strict=True), strict=True)
        found.append(segment(start, end, *words))
    return found


_spans = st.lists(_at, min_size=2, max_size=10, unique=True).map(
    lambda edges: tuple(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(_segments(), _spans)
def test_words_are_in_order_inside_the_window_and_long_enough(
    segments: list[Segment], spans: tuple[tuple[float, float], ...]
) -> None:
    found = placed(segments, Speech(spans), 30.0)
    words = [word for each in found for word in each.words]
    assert [w.text for w in words] == [w.text for each in segments for w in each.words]
    assert all(word.start >= 0 and word.end <= 30 for word in words)
    assert all(word.end - word.start >= 0.02 for word in words)
    assert all(one.end <= two.start for one, two in pairwise(words))
    for each in found:
        assert 0 <= each.start < each.end <= 30
        assert each.start <= each.words[0].start
        assert each.words[-1].end <= each.end
    assert all(one.end <= two.start for one, two in pairwise(found))
