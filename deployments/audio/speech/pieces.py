"""From speech probabilities to pieces of speech, between which a recording may be cut.

The thresholds work as in Silero's and most other detectors: speech begins where the
probability rises over one threshold, and ends where it stays under a lower one for a while.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from deployments.audio.speech.faint import FaintFinder, Span
from deployments.audio.speech.voice_activity import FRAME, Frames
from interchange.stages import SAMPLE_RATE

_HYSTERESIS = 0.15
_MIN_SPEECH = 3  # frames: 96 ms, shorter than any word
MIN_PAUSE_S = 0.128
"""Four frames, longer than the closure of a plosive."""

_LONG = 62  # frames: two seconds
_LEVEL_RANGE = 40.0  # dB


@dataclass(frozen=True, slots=True)
class Piece:
    """Speech from sample `start` to sample `end` of the recording.

    `bond` is None after a pause. Otherwise the piece goes on where the last one ended, within
    speech, and `bond` says from 0 (faint) to 1 (loud and clear) how much speech a cut there
    would hit. `faint` speech is what only the model can tell from silence (`faint`).
    """

    start: int
    end: int
    bond: float | None = None
    faint: bool = False


@dataclass(slots=True)
class _Open:
    """The piece that goes on at the moment, in frames."""

    start: int
    bond: float | None
    probabilities: list[float]
    levels: list[float]
    quiet_since: int | None = None


class PieceFinder:
    """Finds the pieces of one recording as its frames come.

    A piece is at most about two seconds long: longer speech is divided at its weakest frame,
    so that there is somewhere to cut when nobody pauses. It ends where `min_pause_s` seconds are
    silent. With `faint` what may be speech all the same is found too.
    """

    def __init__(
        self, threshold: float, min_pause_s: float = MIN_PAUSE_S, faint: FaintFinder | None = None
    ) -> None:
        self._enter = threshold
        self._leave = max(threshold - _HYSTERESIS, threshold / 2)
        self._min_pause = max(1, round(min_pause_s * SAMPLE_RATE / FRAME))
        self._frame = 0
        self._open: _Open | None = None
        self._faint = faint
        self._faint_end: int | None = None

    @property
    def settled(self) -> int:
        """The sample before which no further piece will start."""
        if self._open is not None:
            return self._open.start * FRAME
        faint = self._faint.start if self._faint is not None else None
        return (self._frame if faint is None else faint) * FRAME

    def feed(self, frames: Frames) -> Iterator[Piece]:
        for probability, level in zip(
            frames.probabilities.tolist(), frames.levels.tolist(), strict=True
        ):
            yield from self._step(probability, level)
            self._frame += 1

    def flush(self) -> Iterator[Piece]:
        """The piece that the end of the recording ends."""
        if self._open is not None:
            yield from self._close(self._open, self._frame)
        elif self._faint is not None:
            yield from self._as_pieces(self._faint.speech_begins(self._frame))

    def _step(self, probability: float, level: float) -> Iterator[Piece]:
        piece = self._open
        if piece is None:
            if probability >= self._enter:
                if self._faint is not None:
                    yield from self._as_pieces(self._faint.speech_begins(self._frame))
                self._open = _Open(self._frame, None, [probability], [level])
            elif self._faint is not None:
                yield from self._as_pieces(self._faint.add(self._frame, probability, level))
            return
        piece.probabilities.append(probability)
        piece.levels.append(level)
        if probability >= self._enter:
            piece.quiet_since = None
        elif probability < self._leave and piece.quiet_since is None:
            piece.quiet_since = self._frame
        if piece.quiet_since is None:
            if len(piece.probabilities) >= _LONG:
                yield self._divide(piece)
        elif self._frame + 1 - piece.quiet_since >= self._min_pause:
            yield from self._close(piece, piece.quiet_since)

    def _close(self, piece: _Open, end: int) -> Iterator[Piece]:
        self._open = None
        if self._faint is not None:
            self._faint.speech_ended(end)
        if end - piece.start >= _MIN_SPEECH or piece.bond is not None:
            yield Piece(piece.start * FRAME, end * FRAME, piece.bond)

    def _as_pieces(self, spans: Iterator[Span]) -> Iterator[Piece]:
        for start, end in spans:
            bond = 0.0 if start == self._faint_end else None
            self._faint_end = end
            yield Piece(start * FRAME, end * FRAME, bond, faint=True)

    def _divide(self, piece: _Open) -> Piece:
        loudest = max(piece.levels)
        strength = [
            (probability + max(0.0, 1 + (level - loudest) / _LEVEL_RANGE)) / 2
            for probability, level in zip(piece.probabilities, piece.levels, strict=True)
        ]
        cut = min(range(_LONG // 2, len(strength)), key=strength.__getitem__)
        end = piece.start + cut
        self._open = _Open(end, strength[cut], piece.probabilities[cut:], piece.levels[cut:])
        return Piece(piece.start * FRAME, end * FRAME, piece.bond)
