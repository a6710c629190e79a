"""What voice activity calls silence, and the model is asked about all the same."""

import numpy as np
import pytest

from deployments.audio.speech.faint import FaintFinder
from deployments.audio.speech.pieces import Piece, PieceFinder
from deployments.audio.speech.voice_activity import FRAME, Frames

WHISPER = [(0.15, -40.0)] * 3 + [(0.03, -62.0)] * 2
SOUND = [(0.0, -35.0)] * 4 + [(0.0, -70.0)] * 3
STEADY = [(0.0, -30.0), (0.0, -33.0)]
QUIET = [(0.05, -75.0)]
SPEECH = [(0.9, -20.0)]


def find(frames: list[tuple[float, float]], *, faint: bool = True) -> list[Piece]:
    probabilities, levels = np.array(frames, np.float32).T
    finder = PieceFinder(0.5, faint=FaintFinder() if faint else None)
    return [*finder.feed(Frames(probabilities, levels)), *finder.flush()]


def spans(pieces: list[Piece]) -> list[tuple[int, int, bool]]:
    """Frames of pieces, with those that go on where the last one ended joined to it."""
    joined: list[tuple[int, int, bool]] = []
    for piece in pieces:
        start, end = piece.start // FRAME, piece.end // FRAME
        if piece.bond is not None:
            assert joined[-1][1] == start
            start = joined.pop()[0]
        joined.append((start, end, piece.faint))
    return joined


@pytest.mark.parametrize("sound", [WHISPER, SOUND])
def test_what_may_be_a_whisper_is_found(sound: list[tuple[float, float]]) -> None:
    frames = [(0.0, -80.0)] * 100 + sound * 40 + [(0.0, -80.0)] * 100
    ((start, end, faint),) = spans(find(frames))
    assert faint
    assert 95 <= start <= 105
    assert 95 + 40 * len(sound) <= end <= 105 + 40 * len(sound)


@pytest.mark.parametrize("sound", [STEADY, QUIET, [(0.0, -120.0)]])
def test_steady_sound_and_quiet_are_silence(sound: list[tuple[float, float]]) -> None:
    assert find(sound * 1000) == []


def test_a_short_doubt_is_none() -> None:
    assert find(QUIET * 200 + WHISPER * 3 + QUIET * 400 + WHISPER * 3 + QUIET * 200) == []


def test_what_surrounds_speech_fades_in_and_out() -> None:
    fading = [(0.3, -45.0)] * 9
    pieces = find(QUIET * 50 + fading + SPEECH * 40 + fading + QUIET * 100)
    assert [piece.faint for piece in pieces] == [False]


def test_a_whisper_beside_speech_keeps_its_distance() -> None:
    pieces = spans(find(SPEECH * 40 + WHISPER * 40 + SPEECH * 40))
    assert [faint for _, _, faint in pieces] == [False, True, False]
    (_, first, _), (start, end, _), (last, _, _) = pieces
    assert (first, last) == (40, 240)
    assert first + 9 <= start < first + 15
    assert last - 15 < end <= last - 9


def test_pieces_are_in_order_and_none_starts_before_what_is_settled() -> None:
    generator = np.random.default_rng(0)
    kinds = [WHISPER, SOUND, STEADY, QUIET, SPEECH]
    frames = [f for kind in generator.integers(0, 5, 60) for f in kinds[kind] * 20]
    finder, settled, end = PieceFinder(0.5, faint=FaintFinder()), 0, 0
    for probability, level in frames:
        frame = Frames(np.array([probability], np.float32), np.array([level], np.float32))
        for piece in finder.feed(frame):
            assert settled <= piece.start < piece.end
            assert end <= piece.start
            end = piece.end
        assert finder.settled >= settled
        settled = finder.settled
    assert [p for p in find(frames) if not p.faint] == find(frames, faint=False)


def test_an_hour_of_it_is_settled_as_it_comes() -> None:
    """Whoever waits for windows gets them, and what was heard is not held."""
    finder = PieceFinder(0.5, faint=FaintFinder())
    frames = [*QUIET * 20, *SOUND * 2000]
    for at in range(0, len(frames), 100):
        probabilities, levels = np.array(frames[at : at + 100], np.float32).T
        list(finder.feed(Frames(probabilities, levels)))
        assert finder.settled >= (at - 160) * FRAME
