import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.recognition.window.repeats import (
    Repeat,
    can_be_said,
    endless,
    repeats,
    said_once,
    surplus,
)


@pytest.mark.parametrize("unit", [[7], [7, 8], [7, 8, 9, 7], list(range(20, 44))])
@pytest.mark.parametrize("before", [[], [1, 2, 3], [9, 9, 6]])
@pytest.mark.parametrize("after", [[], [5], [5, 6, 5]])
def test_a_repeat_is_found_wherever_it_is(
    unit: list[int], before: list[int], after: list[int]
) -> None:
    times = max(5, 17 // len(unit) + 1)
    tokens = [*before, *unit * times, *after]
    (repeat,) = repeats(tokens)
    assert (repeat.start, repeat.end - repeat.start) == (len(before), len(unit) * times)
    assert said_once(tokens, [repeat]) == [*before, *unit, *after]


def test_a_repeat_may_break_off_within_the_phrase() -> None:
    assert repeats([*[1, 2, 3, 4] * 5, 1, 2, 9]) == [Repeat(0, 22, 4)]


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param([], id="nothing"),
        pytest.param([1], id="one"),
        pytest.param([7] * 16, id="no more than sixteen tokens"),
        pytest.param(list(range(24)) * 4, id="no more than four times"),
        pytest.param(list(range(25)) * 6, id="too long a phrase"),
        pytest.param(list(range(200)), id="no repetition"),
    ],
)
def test_what_is_said_a_few_times_is_no_repeat(tokens: list[int]) -> None:
    assert repeats(tokens) == []
    assert not endless(tokens, 0)


@given(st.lists(st.integers(0, 3), max_size=120))
def test_repeats_are_in_order_and_repeat(tokens: list[int]) -> None:
    found = repeats(tokens)
    at = 0
    for repeat in found:
        assert at <= repeat.start < repeat.end <= len(tokens)
        assert repeat.end - repeat.start > 4 * repeat.size
        at = repeat.end
        inside = tokens[repeat.start : repeat.end]
        assert inside[repeat.size :] == inside[: -repeat.size]
    assert len(said_once(tokens, found)) == len(tokens) - sum(
        repeat.end - repeat.start - repeat.size for repeat in found
    )


def test_a_decoding_is_endless_where_it_repeats_more_than_its_audio_can_hold() -> None:
    tokens = [1, *[7, 8, 9] * 30]
    assert endless(tokens, 5.0)
    assert not endless(tokens, 30.0)
    assert not endless([*tokens, 5], 5.0)  # it goes on with something else


def test_few_tokens_can_be_said_in_little_speech() -> None:
    assert can_be_said(48, 11.0)
    assert not can_be_said(100, 5.0)


def test_a_copy_for_which_there_is_no_time_was_not_said() -> None:
    # "one two" six times, of which the fourth is aligned to a moment.
    tokens = [1, 2] * 9
    lengths = [0.4, 0.5] * 3 + [0.02, 0.0] + [0.4, 0.5] * 5
    starts = [sum(lengths[:index]) for index in range(len(tokens) + 1)]
    assert len(surplus(tokens, starts)) == 2
    assert surplus(tokens, [0.5 * index for index in range(len(tokens) + 1)]) == set()


def test_where_repetition_breaks_off_within_a_copy_it_is_found_too() -> None:
    tokens = [1, 2, 3, 4] * 5 + [1, 2, 9]
    times = [0.25] * 18 + [0.0, 0.0, 0.0, 0.0] + [0.25]
    starts = [sum(times[:index]) for index in range(len(tokens) + 1)]
    assert surplus(tokens, starts) == {18, 19, 20, 21}


def test_text_without_repeats_has_nothing_to_spare() -> None:
    assert surplus(list(range(50)), [0.0] * 51) == set()
