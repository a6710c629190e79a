"""Where windows are encoded on a CPU: beside the decoding, or between its steps.

The encoder's work is a few large products, bound by arithmetic; a decoding step is many small
ones, bound by memory. Given all cores in turn each leaves some of them idle, and at every
product all wait for the slowest. So on a CPU of several cores each has some for itself.

torch's threads (libgomp's) wait for each other in a loop only while there are no more of them in
the process than cores. One more, and all of them sleep and are woken at every product: on two
cores a step of one row then takes twice its time. Threads once started count until they end. So
only the decoding thread ever has more than the encoder leaves, what is encoded while nothing
is decoded is encoded there, and nothing else in the process computes with several threads.

The decoding thread has time for windows as well: encoding takes longer than the steps of few
rows. It encodes one layer by layer between its steps, so that nobody waits longer than a layer.
"""

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from deployments.compiled import shares
from deployments.recognition.engine.admission import Pieces
from deployments.recognition.model.encoder import Layers
from deployments.recognition.model.whisper import Projected, WhisperModel
from deployments.recognition.window.speech import speech_end
from interchange.samples import as_float32

FutureBatch = Future[list[Projected]]

AHEAD = 2
"""Windows that are encoded, or wait for it, before there is a slot for them."""


class CpuLanes:
    """Encodes windows for one engine. With `threads` above 1, in a thread of its own as well."""

    def __init__(
        self, model: WhisperModel, *, silent_suffix: bool, threads: int, integers: bool = False
    ) -> None:
        """`integers`: the products are those of compiled loops, which have threads of their own,
        and torch shall have none that wait beside them."""
        self._model = model
        self._integers = integers
        self._silent_suffix = silent_suffix
        self._of_encoding = threads // 2
        self._of_decoding = threads - threads // 2
        # Whoever starts threads is one of them.
        self._of_decoding_alone = threads - max(0, threads // 2 - 1)
        self._thread = ThreadPoolExecutor(1, "encoder") if threads > 1 else None
        self._beside: list[_Work] = []
        self._between: _Work | None = None

    together = 1

    @property
    def concurrent(self) -> bool:
        """Whether windows can be encoded beside the decoding."""
        return self._thread is not None

    @property
    def ahead(self) -> int | None:
        return AHEAD if self.concurrent else None

    open = True

    @property
    def free_between(self) -> bool:
        """Whether a batch can be encoded between steps. Without a thread it is done at once."""
        return self.concurrent and self._between is None

    def at_once(self, pieces: Pieces) -> FutureBatch:
        """Encode pieces of windows before decoding goes on.

        Here as below, the future has whatever goes wrong.
        """
        self.hand_over()
        self.leave_to_decoding()
        return self._begin(pieces).finish()

    def beside(self, pieces: Pieces) -> FutureBatch:
        """Encode them when the encoder's thread comes to it, or at once where there is none."""
        if self._thread is None:
            self.leave_to_decoding()
            return self._begin(pieces).finish()
        work = self._begin(pieces)
        self._submit(work)
        return work.future

    def between_steps(self, pieces: Pieces) -> FutureBatch:
        """Encode them layer by layer, each time that `go_on` is called; one batch at a time."""
        assert self._between is None
        self._between = self._begin(pieces)
        self._between.started()
        return self._between.future

    def go_on(self) -> bool:
        """Encode a layer of what is encoded between the steps. Whether there was any."""
        if self._between is None:
            return False
        self.leave_to_decoding()
        if self._between.go_on():
            self._between = None
        return True

    def hand_over(self) -> None:
        """Leave the rest of what is encoded between the steps to the encoder's thread."""
        if self._between is not None:
            self._submit(self._between)
            self._between = None

    def leave_to_decoding(self) -> None:
        """Give the calling thread the cores that the encoder's leaves, if it is busy, or all."""
        if self._of_encoding:
            self._beside = [work for work in self._beside if not work.future.done()]
            self._use(self._of_decoding if self._beside else self._of_decoding_alone)

    def stop(self) -> None:
        """Drop what was begun, and encode in the caller's thread from now on."""
        self._between = None
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def release(self, encoded: Projected) -> None:
        """Its memory is its own."""

    def warm_up(self) -> None:
        """The first window is as fast as any."""

    def _begin(self, pieces: Pieces) -> "_Work":
        return _Work(self._encode(pieces))

    def _submit(self, work: "_Work") -> None:
        assert self._thread is not None
        self._beside.append(work)
        self._thread.submit(self._finish, work)

    def _finish(self, work: "_Work") -> None:
        self._use(self._of_encoding)
        with torch.inference_mode():
            work.finish()

    def _use(self, threads: int) -> None:
        """Let the calling thread use so many."""
        shares.allow(threads if self._integers else 1)
        torch.set_num_threads(1 if self._integers else threads)

    def _encode(self, pieces: Pieces) -> Layers[list[Projected]]:
        audio = [as_float32(window.samples[piece.start : piece.end]) for window, piece in pieces]
        if not self._silent_suffix:
            return (yield from self._model.encode_padded(audio))
        positions = [self._model.positions(speech_end(*piece)) for piece in pieces]
        trimmed = list(zip(audio, positions, strict=True))
        return (yield from self._model.encode_trimmed(trimmed))


class _Work:
    """A batch that is encoded layer by layer, by one thread or by one after the other."""

    def __init__(self, layers: Layers[list[Projected]]) -> None:
        self._layers = layers
        self.future: FutureBatch = Future()

    def started(self) -> bool:
        """Whether it goes on, or was cancelled before it began."""
        return self.future.running() or self.future.set_running_or_notify_cancel()

    def go_on(self) -> bool:
        """Encode one layer. Whether that is the end."""
        try:
            next(self._layers)
        except StopIteration as done:
            self.future.set_result(done.value)
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            self.future.set_exception(error)
        return self.future.done()

    def finish(self) -> FutureBatch:
        """Encode what is left, unless it was cancelled."""
        if self.started():
            while not self.go_on():
                pass
        return self.future
