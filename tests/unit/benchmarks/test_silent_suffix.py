import numpy as np
import pytest

from benchmarks.silent_suffix import Stretch, distances, interval
from interchange.transcript import Word

STRETCHES = [Stretch(1.0, 3.0, "They sang a song"), Stretch(4.0, 5.0, "Good day")]


def words(*timed: tuple[str, float, float]) -> list[Word]:
    return [Word(text, start, end, 1.0) for text, start, end in timed]


def test_words_at_the_edges_are_held_against_the_edges() -> None:
    heard = words((" They", 1.25, 1.5), (" sang", 1.5, 2), (" a", 2, 2.1), (" song.", 2.1, 2.5))
    assert distances(STRETCHES[:1], heard) == [0.25, -0.5]


def test_a_word_that_was_misheard_is_no_edge() -> None:
    heard = words(
        (" They", 1.25, 1.5), (" sank", 1.5, 3), (" Good", 4.5, 4.75), (" day", 4.75, 5.5)
    )
    assert distances(STRETCHES, heard) == [0.25, 0.5, 0.5]


def test_nothing_heard_has_no_edges() -> None:
    assert distances(STRETCHES, []) == []
    assert distances([], words((" They", 1, 2))) == []


def test_a_difference_in_one_recording_alone_is_not_sure() -> None:
    low, high = interval(np.array([6.0, 0, 0, 0, 0, 0]))
    assert low == 0
    assert high >= 12
    assert interval(np.full(5, 2.0)) == (10, 10)
    assert interval(np.array([3.0, -1.5, 2.0])) == pytest.approx((-4.5, 9), abs=1)
