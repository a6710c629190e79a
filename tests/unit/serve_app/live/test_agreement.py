import pytest

from interchange.transcript import Segment, Token, WindowTranscript, Word
from serve_app.live.agreement import Heard, agreed, said_before, words


def heard(text: str) -> list[Heard]:
    return [Heard(f" {word}", index, index + 0.9) for index, word in enumerate(text.split())]


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        ("", "a b", 0),
        ("a b c", "a b d", 2),
        ("So, it IS", "so it is", 3),
        ("a b", "a b c", 2),
        ("x a b", "a b", 0),
    ],
)
def test_agreed(before: str, now: str, count: int) -> None:
    assert agreed(heard(before), heard(now)) == count


@pytest.mark.parametrize(
    ("said", "now", "count"),
    [
        ("", "a b", 0),
        ("a b", "a b c d", 2),
        ("a b", "A, b. c d", 2),
        ("mister hale said", "mr hale said that", 3),
        ("shop boy was", "shopboy was the", 2),
        ("a b c", "a b", 2),
        ("a", "", 0),
    ],
)
def test_where_what_was_said_ends(said: str, now: str, count: int) -> None:
    assert said_before(heard(said), heard(now)) == count


def test_words_are_clamped_and_have_their_tokens() -> None:
    spelled = tuple(Token(tuple(part.encode()), -0.5) for part in (" a", "b", " c"))
    segment = Segment(
        0,
        9,
        " ab c",
        "en",
        (1, 2, 3),
        words=(Word(" ab", -3, 1, 0.9, token_count=2), Word(" c", 0.5, 99, 0.9, token_count=1)),
        spelled=spelled,
    )
    found = words(WindowTranscript(0, 0, 5, (segment,), "en"), 0.0, 5.0)
    assert [(word.text, word.start, word.end) for word in found] == [
        (" ab", 0.0, 1),
        (" c", 0.5, 5.0),
    ]
    assert [len(word.tokens) for word in found] == [2, 1]


def test_a_segment_without_words_is_one() -> None:
    found = words(WindowTranscript(0, 0, 5, (Segment(1, 2, " hm", "en"),), "en"), 0.0, 5.0)
    assert [word.text for word in found] == [" hm"]
