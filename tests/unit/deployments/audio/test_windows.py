from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.audio.speech.pieces import Piece
from deployments.audio.windows import MAX_PAUSE, PAD, Stretch, WindowPlanner
from interchange.stages import SAMPLE_RATE

S = SAMPLE_RATE


def plan(pieces: list[Piece], length: int, window_s: float = 30) -> list[Stretch]:
    planner = WindowPlanner(window_s)
    stretches = [stretch for piece in pieces for stretch in planner.add(piece)]
    return [*stretches, *planner.finish(length)]


def sentences(*spans: tuple[float, float]) -> list[Piece]:
    return [Piece(round(start * S), round(end * S)) for start, end in spans]


def seconds(stretches: list[Stretch]) -> list[tuple[float, float]]:
    return [(stretch.start / S, stretch.end / S) for stretch in stretches]


def test_no_speech_gives_no_window() -> None:
    assert plan([], 100 * S) == []


def test_short_speech_is_padded_within_the_recording() -> None:
    assert seconds(plan(sentences((1, 2)), 10 * S)) == [(0.7, 2.3)]
    assert seconds(plan(sentences((0.1, 2)), 2 * S)) == [(0.0, 2.0)]
    # The last frame of a recording may reach beyond it.
    assert seconds(plan(sentences((0, 1.02)), S)) == [(0.0, 1.0)]


def test_speech_is_told_from_the_windows_start_and_padded_less() -> None:
    (stretch,) = plan(sentences((5, 6), (7, 8), (8.1, 9)), 20 * S)
    assert stretch.start == 5 * S - PAD
    assert [(start / S, end / S) for start, end in stretch.speech] == [
        pytest.approx((0.2, 1.4)),
        pytest.approx((2.2, 3.35)),
        pytest.approx((3.35, 4.4)),
    ]


def test_how_much_is_kept_before_speech_can_be_chosen() -> None:
    planner = WindowPlanner(30, lead=round(0.1 * S))
    pieces = sentences((1, 2), (10, 11))
    stretches = [each for piece in pieces for each in planner.add(piece)]
    stretches += planner.finish(20 * S)
    # What comes behind is not touched.
    assert seconds(stretches) == [(0.9, 2.3), (9.9, 11.3)]


def early(pieces: list[Piece], length: int) -> tuple[list[Stretch], int]:
    """The windows where the first is short, and how many pieces it had to wait for."""
    planner = WindowPlanner(30, first_s=8)
    stretches: list[Stretch] = []
    waited = 0
    for piece in pieces:
        waited += not stretches
        stretches += planner.add(piece)
    return [*stretches, *planner.finish(length)], waited


def test_a_short_first_window_comes_as_soon_as_it_is_full() -> None:
    pieces = sentences(*((second, second + 0.8) for second in range(60)))
    stretches, waited = early(pieces, 60 * S)
    assert waited == 9
    # The others are as long as they would be.
    assert [round((each.end - each.start) / S) for each in stretches] == [8, 22, 30]


def test_a_short_first_window_keeps_words_whole_and_nothing_is_lost() -> None:
    pieces = sentences((0, 3), (4, 6), (6.05, 9), (9.2, 20))
    stretches, _ = early(pieces, 20 * S)
    assert seconds(stretches) == [(0, 3.3), (3.7, 20)]
    assert sum(len(each.speech) for each in stretches) == 4


def test_a_recording_shorter_than_the_first_window_is_one() -> None:
    pieces = sentences((0, 3), (4, 6))
    stretches, _ = early(pieces, 7 * S)
    assert stretches == plan(pieces, 7 * S)


def test_a_long_silence_is_left_out_and_a_short_one_is_not() -> None:
    assert len(plan(sentences((0, 2), (4, 6)), 10 * S)) == 1
    assert seconds(plan(sentences((0, 2), (60, 62)), 70 * S)) == [(0, 2.3), (59.7, 62.3)]


def test_the_cut_is_in_the_longest_pause_not_the_last_that_fits() -> None:
    # A greedy cutter fills the first window up to 29.5 s.
    pieces = sentences((0, 10), (10.2, 20), (21, 29.4), (29.6, 40), (40.2, 45))
    assert len(plan(pieces, 50 * S)) == 2
    assert plan(pieces, 50 * S)[1].start == pytest.approx(20.7 * S, abs=1)


def test_few_windows_rather_than_a_cut_in_every_pause() -> None:
    pieces = sentences(*((i * 5, i * 5 + 4.2) for i in range(12)))
    assert len(plan(pieces, 60 * S)) == 2


def test_padding_gives_way_to_a_recording_of_hardly_more_than_a_window() -> None:
    (stretch,) = plan(sentences((0.2, 15), (16, 29.9)), 30 * S + 100)
    assert stretch.end - stretch.start == 30 * S


def test_speech_without_a_pause_is_cut_where_it_is_weakest() -> None:
    bonds = {0: None, 22: 0.1}
    pieces = [
        Piece(second * S, (second + 2) * S, bonds.get(second, 0.9)) for second in range(0, 50, 2)
    ]
    assert seconds(plan(pieces, 50 * S)) == [(0, 22), (22, 50)]


def test_memory_is_bounded_in_endless_speech() -> None:
    planner = WindowPlanner(30)
    for second in range(0, 3600, 2):
        position = second * S
        for _ in planner.add(Piece(position, position + 2 * S, 0.5 if second else None)):
            pass
        assert planner.needed_from is not None
        assert position - planner.needed_from <= 93 * S


def test_a_long_silence_settles_what_came_before() -> None:
    planner = WindowPlanner(30)
    assert list(planner.add(Piece(S, 2 * S))) == []
    assert list(planner.advance(2 * S + MAX_PAUSE - 1)) == []
    (stretch,) = planner.advance(2 * S + MAX_PAUSE)
    assert seconds([stretch]) == [(0.7, 2.3)]
    assert planner.needed_from is None
    assert list(planner.finish(20 * S)) == []


@st.composite
def speech(draw: st.DrawFn) -> list[Piece]:
    """Pieces as the finder makes them."""
    pieces: list[Piece] = []
    position = 0
    for _ in range(draw(st.integers(0, 60))):
        bonded = bool(pieces) and draw(st.booleans())
        if not bonded:
            position += draw(st.integers(4, 400)) * 512
        end = position + draw(st.integers(3, 66)) * 512
        pieces.append(Piece(position, end, draw(st.floats(0, 1)) if bonded else None))
        position = end
    return pieces


@given(speech(), st.integers(0, 80_000), st.sampled_from([5.0, 12.0, 30.0]))
def test_windows_hold_all_speech_once_in_order_and_within_the_limit(
    pieces: list[Piece], rest: int, window_s: float
) -> None:
    length = (pieces[-1].end if pieces else 0) + rest
    stretches = plan(pieces, length, window_s)
    assert all(0 <= each.start < each.end <= length for each in stretches)
    assert all(each.end - each.start <= window_s * S for each in stretches)
    assert all(before.end <= after.start for before, after in pairwise(stretches))
    for piece in pieces:
        (home,) = [each for each in stretches if each.start <= piece.start < each.end]
        assert piece.end <= home.end
        assert any(
            home.start + start <= piece.start and piece.end <= home.start + end
            for start, end in home.speech
        )
    for each in stretches:
        edges = [edge for span in each.speech for edge in span]
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= each.end - each.start


@given(speech(), st.integers(0, 80_000))
def test_when_pieces_come_does_not_matter(pieces: list[Piece], rest: int) -> None:
    length = (pieces[-1].end if pieces else 0) + rest
    planner = WindowPlanner(30)
    stretches: list[Stretch] = []
    for piece in pieces:
        stretches += planner.advance(piece.start)
        stretches += planner.add(piece)
        stretches += planner.advance(piece.end)
    stretches += planner.advance(length)
    stretches += planner.finish(length)
    assert stretches == plan(pieces, length)


def faint(start: float, end: float) -> Piece:
    return replace(*sentences((start, end)), faint=True)


def test_what_may_be_no_speech_has_a_window_of_its_own() -> None:
    """Music before speech, say. Its words have to be surer."""
    pieces = [faint(0.5, 6), *sentences((6.5, 9), (9.3, 12))]
    stretches = plan(pieces, 13 * SAMPLE_RATE)
    assert [stretch.faint for stretch in stretches] == [True, False]


def test_a_whisper_that_is_heard_now_and_then_is_one() -> None:
    pieces = [faint(0.5, 6), *sentences((6.5, 7)), faint(7.5, 12), *sentences((12.5, 13))]
    assert [stretch.faint for stretch in plan(pieces, 14 * SAMPLE_RATE)] == [False]
