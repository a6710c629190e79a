from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deployments.audio.speech.pieces import Piece, PieceFinder
from deployments.audio.speech.voice_activity import FRAME, Frames


def frames(probabilities: list[float], levels: list[float] | None = None) -> Frames:
    return Frames(
        np.array(probabilities, np.float32),
        np.array(levels or [-20.0] * len(probabilities), np.float32),
    )


def find(probabilities: list[float], levels: list[float] | None = None) -> list[Piece]:
    finder = PieceFinder(0.5)
    return [*finder.feed(frames(probabilities, levels)), *finder.flush()]


def in_frames(pieces: list[Piece]) -> list[tuple[int, int]]:
    return [(piece.start // FRAME, piece.end // FRAME) for piece in pieces]


def test_speech_begins_over_one_threshold_and_ends_under_a_lower_one() -> None:
    assert in_frames(find([0.1] * 5 + [0.9] * 10 + [0.1] * 10)) == [(5, 15)]
    assert in_frames(find([0.45] * 20)) == []
    assert in_frames(find([0.9] * 5 + [0.45] * 20 + [0.1] * 5)) == [(0, 25)]


def test_short_dips_are_no_pauses_and_blips_no_speech() -> None:
    assert in_frames(find([0.9] * 5 + [0.0] * 3 + [0.9] * 5)) == [(0, 13)]
    assert in_frames(find([0.9] * 5 + [0.0] * 4 + [0.9] * 5)) == [(0, 5), (9, 14)]
    assert in_frames(find([0.0] * 5 + [0.9] * 2 + [0.0] * 5)) == []
    assert in_frames(find([0.0] * 5 + [0.9] * 3 + [0.0] * 5)) == [(5, 8)]


def test_how_long_a_pause_ends_speech_can_be_chosen() -> None:
    dip = [0.9] * 5 + [0.0] * 6 + [0.9] * 5
    patient = PieceFinder(0.5, 0.25)
    assert in_frames([*patient.feed(frames(dip)), *patient.flush()]) == [(0, 16)]
    assert len(find(dip)) == 2


def test_speech_that_the_recording_ends_in() -> None:
    assert in_frames(find([0.0] * 5 + [0.9] * 7)) == [(5, 12)]


def test_long_speech_is_divided_where_it_is_weakest() -> None:
    probabilities, levels = [0.9] * 100, [-20.0] * 100
    levels[45] = -55.0
    pieces = find(probabilities, levels)
    assert in_frames(pieces) == [(0, 45), (45, 100)]
    assert pieces[0].bond is None
    assert pieces[1].bond is not None
    assert 0.4 < pieces[1].bond < 0.6


def test_blocks_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    probabilities = np.repeat(rng.random(100), rng.integers(1, 30, 100)).tolist()
    finder = PieceFinder(0.5)
    pieces: list[Piece] = []
    for start in range(0, len(probabilities), 7):
        pieces += finder.feed(frames(probabilities[start : start + 7]))
    assert [*pieces, *finder.flush()] == find(probabilities)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 80)), max_size=30))
def test_pieces_are_in_order_bounded_and_hold_all_that_is_surely_speech(
    runs: list[tuple[float, int]],
) -> None:
    probabilities = [probability for probability, count in runs for _ in range(count)]
    finder = PieceFinder(0.5)
    pieces = []
    for probability in probabilities:
        settled = finder.settled
        for piece in finder.feed(frames([probability])):
            assert piece.start >= settled
            pieces.append(piece)
    pieces += finder.flush()
    for before, after in pairwise(pieces):
        assert before.end <= after.start
        assert (after.bond is not None) == (before.end == after.start)
    assert all(0 < piece.end - piece.start <= 70 * FRAME for piece in pieces)
    covered = np.zeros(len(probabilities) + 1, bool)
    for piece in pieces:
        covered[piece.start // FRAME : piece.end // FRAME] = True
    sure = np.array([probability >= 0.5 for probability in probabilities], bool)
    for index in range(len(sure) - 2):
        if sure[index : index + 3].all():
            assert covered[index]
