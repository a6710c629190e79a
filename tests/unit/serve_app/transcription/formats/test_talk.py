import pytest
from hypothesis import given
from hypothesis import strategies as st

from interchange.transcript import Turn, Word
from serve_app.transcription.formats.talk import Overlaps, talk_seconds
from tests.fakes.services import segment

TURNS = (
    Turn(0.0, 4.0, "A"),
    Turn(3.0, 6.0, "B"),
    Turn(5.0, 5.5, "A"),
    Turn(5.5, 7.0, "A"),
)


def test_seconds_of_each_speaker() -> None:
    assert talk_seconds(TURNS) == {"A": 6.0, "B": 3.0}
    assert talk_seconds([Turn(0.0, 2.0, "A"), Turn(1.0, 3.0, "A")]) == {"A": 3.0}, "not twice"
    assert talk_seconds(()) == {}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.0, 3.0, False),
        (2.5, 3.05, False),  # times are no more exact
        (2.5, 3.2, True),
        (3.2, 3.4, True),
        (2.99, 3.03, True),  # a short word
        (4.0, 5.0, False),
        (4.0, 7.0, True),
        (6.0, 7.0, False),
        (9.0, 9.5, False),
    ],
)
def test_a_word_while_somebody_else_talks(start: float, end: float, expected: bool) -> None:
    assert Overlaps(TURNS)(Word(" so", start, end, 0.9)) is expected


def test_a_segment_overlaps_where_one_of_its_words_does() -> None:
    overlaps = Overlaps((Turn(0.0, 10.0, "A"), Turn(5.0, 5.4, "B")))
    assert overlaps(segment("one two", 0.0, 10.0))
    assert not overlaps(segment("one two", 0.0, 4.0))
    pause = segment("one two", 0.0, 2.0), segment("three", 8.0, 10.0)
    assert not any(map(overlaps, pause))


SPAN = st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda x: (x[0], x[0] + x[1]))


@given(st.lists(st.tuples(SPAN, st.sampled_from("ABC"))), SPAN)
def test_overlaps_are_those_that_counting_finds(
    turns: list[tuple[tuple[int, int], str]], span: tuple[int, int]
) -> None:
    made = [Turn(start / 8, end / 8, who) for (start, end), who in turns]
    word = Word(" so", span[0] / 8, span[1] / 8, 0.9)
    crowded = [
        tick
        for tick in range(*span)
        if len({who for (start, end), who in turns if start <= tick < end}) > 1
    ]
    assert Overlaps(made)(word) is bool(crowded)
