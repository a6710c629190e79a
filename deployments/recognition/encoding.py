"""Where windows are encoded: beside the decoding on a CPU, between its steps on a GPU.

The encoder's work is a few large products, bound by arithmetic; a decoding step is many small
ones, bound by memory. Given all cores in turn each leaves some of them idle, and at every
product all wait for the slowest. So on a CPU of several cores each has some for itself.

torch's threads (libgomp's) wait for each other in a loop only while there are no more of them in
the process than cores. One more, and all of them sleep and are woken at every product: on two
cores a step of one row then takes twice its time. Threads once started count until they end. So
only the decoding thread ever has more than the encoder leaves, what is encoded while nothing
is decoded is encoded there, and nothing else in the process computes with several threads.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from deployments.recognition.model import Encoded, WhisperModel
from deployments.recognition.requests import Piece
from deployments.recognition.speech_spans import Speech
from serve_app.transcription.samples import as_float32
from serve_app.transcription.stages import SAMPLE_RATE, Window

AHEAD = 2
"""Windows that are encoded, or wait for it, before there is a slot for them."""


class Encoding:
    """Encodes windows for one engine. With `threads` above 1, in a thread of its own."""

    def __init__(self, model: WhisperModel, *, silent_suffix: bool, threads: int) -> None:
        self._model = model
        self._silent_suffix = silent_suffix
        self._of_encoding = threads // 2
        self._of_decoding = threads - threads // 2
        # Whoever starts threads is one of them.
        self._of_decoding_alone = threads - max(0, threads // 2 - 1)
        self._beside = ThreadPoolExecutor(1, "encoder") if threads > 1 else None

    @property
    def beside(self) -> bool:
        return self._beside is not None

    def begin(
        self, pieces: Sequence[tuple[Window, Piece]], *, at_once: bool
    ) -> Future[list[Encoded]]:
        """Encode pieces of windows in one batch: beside the decoding, or `at_once`, before it goes
        on. The future has whatever goes wrong, in either case.
        """
        if at_once or self._beside is None:
            future: Future[list[Encoded]] = Future()
            try:
                future.set_result(self._encode(pieces))
            except Exception as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)
            return future
        return self._beside.submit(self._with_threads, pieces)

    def leave_to_decoding(self, *, busy: bool) -> None:
        """Give the calling thread the cores that encoding leaves, if it is `busy`, or all."""
        if self._of_encoding:
            torch.set_num_threads(self._of_decoding if busy else self._of_decoding_alone)

    def stop_being_beside(self) -> None:
        """Encode in the caller's thread from now on; what was begun is dropped when it is done."""
        if self._beside is not None:
            self._beside.shutdown(wait=False, cancel_futures=True)
            self._beside = None

    def _with_threads(self, pieces: Sequence[tuple[Window, Piece]]) -> list[Encoded]:
        torch.set_num_threads(self._of_encoding)
        with torch.inference_mode():
            return self._encode(pieces)

    def _encode(self, pieces: Sequence[tuple[Window, Piece]]) -> list[Encoded]:
        audio = [as_float32(window.samples[piece.start : piece.end]) for window, piece in pieces]
        if not self._silent_suffix:
            return self._model.encode_padded(audio)
        positions = [self._model.positions(_speech_end(*piece)) for piece in pieces]
        return self._model.encode_trimmed(list(zip(audio, positions, strict=True)))


def _speech_end(window: Window, piece: Piece) -> float:
    """Seconds from a piece's start to the end of the window's speech."""
    end = round(Speech.of(window).end * SAMPLE_RATE)
    return (min(max(end, piece.start), piece.end) - piece.start) / SAMPLE_RATE
