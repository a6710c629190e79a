"""Where windows are encoded on a GPU: in batches, ahead of the decoding, on a stream of their own.

A batch has windows of one length, rounded up to few: so whatever a window is encoded with, its
arithmetic is the same, and each size is recorded once. Only the encoder's output is kept, in
memory laid out beforehand; keys and values are made of it when the window gets a slot.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deployments.graphs import Graphs
from deployments.recognition.captured.events import Event, pinned, stream
from deployments.recognition.engine.admission import Pieces
from deployments.recognition.model.encoder import FRAMES_PER_POSITION, PEAK, all_layers
from deployments.recognition.model.whisper import Encoded, WhisperModel
from deployments.recognition.window.questions import Piece
from deployments.recognition.window.speech import speech_end
from interchange.stages import Window

FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class Held(Encoded):
    """An encoder's output in one of the lanes' places, there once `done` has passed."""

    place: int
    done: Event


class CapturedLanes:
    """Encodes windows for one engine: up to `together` at once, and as many again ahead."""

    def __init__(self, model: WhisperModel, *, silent_suffix: bool, graphs: bool) -> None:
        policy, encoder = model.policy, model.encoder
        self._model, self._silent_suffix = model, silent_suffix
        self.together, self._step = policy.encode_together, policy.encoded_step
        self.ahead: int | None = 2 * self.together
        self._graphs = Graphs(enabled=graphs)
        self._device = model.device
        self._stream = stream(self._device)
        longest = model.log_mel.samples_for(model.log_mel.max_frames)
        self._audio = torch.zeros(self.together * longest, dtype=torch.int16, device=self._device)
        # A batch can be under way while as many windows as may be ahead wait, and urgent ones.
        self._places = torch.zeros(
            (4 * self.together, encoder.positions, encoder.width),
            dtype=encoder.dtype,
            device=self._device,
        )
        self._free: dict[int, Event | None] = dict.fromkeys(range(len(self._places)))
        self._under_way: list[_Batch] = []

    @property
    def open(self) -> bool:
        """One batch at a time: what is begun cannot be overtaken."""
        return all(batch.done() for batch in self._under_way)

    free_between = False

    def beside(self, pieces: Pieces) -> "Future[list[Any]]":
        batch, free = _Batch(), dict(self._free)
        try:
            with self._here():
                batch.take(self._encode(pieces))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            self._free = free
            batch.set_exception(error)
        self._under_way = [other for other in self._under_way if not other.done()]
        self._under_way.append(batch)
        return batch

    between_steps = at_once = beside

    def go_on(self) -> bool:
        return False

    def leave_to_decoding(self) -> None:
        """Streams share the device by themselves."""

    def release(self, encoded: Held) -> None:
        """A window's output may be written over once what was launched until now has read it."""
        self._free[encoded.place] = Event.now(self._device)

    def stop(self) -> None:
        """Drop what was begun."""
        self._under_way.clear()
        if self._stream is not None:
            self._stream.synchronize()
        self._free = dict.fromkeys(range(len(self._places)))
        self._graphs.forget()

    def warm_up(self) -> None:
        """Encode a batch of each size, so that it is recorded."""
        with self._here(), torch.inference_mode():
            for positions in self._lengths():
                size = self.together
                while size:
                    self._run(size, positions)
                    size //= 2

    def _lengths(self) -> Iterator[int]:
        whole = self._model.encoder.positions
        if self._silent_suffix:
            yield from range(self._step, whole, self._step)
        yield whole

    # ------------------------------------------------------------------------ encoding

    def _encode(self, pieces: Pieces) -> list[Held]:
        """In batches of one length, each of a size that is recorded."""
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, piece in enumerate(pieces):
            by_length[self._positions(*piece)].append(index)
        held: dict[int, Held] = {}
        for positions, indices in by_length.items():
            for some in _in_sizes(indices, self.together):
                chosen = [pieces[index] for index in some]
                samples = [window.samples[piece.start : piece.end] for window, piece in chosen]
                held |= zip(some, self._batch(samples, positions), strict=True)
        return [held[index] for index in range(len(pieces))]

    def _positions(self, window: Window, piece: Piece) -> int:
        whole = self._model.encoder.positions
        if not self._silent_suffix:
            return whole
        needed = self._model.positions(speech_end(window, piece))
        return min(whole, -(-needed // self._step) * self._step)

    def _batch(self, samples: "Sequence[np.ndarray[Any, Any]]", positions: int) -> list[Held]:
        log_mel, frames = self._model.log_mel, FRAMES_PER_POSITION * positions
        needed = log_mel.samples_for(frames)
        staged = pinned((len(samples), needed), torch.int16, self._device)
        for row, audio in zip(staged.numpy(), samples, strict=True):
            kept = log_mel.kept(len(audio), frames)
            row[:kept] = audio[:kept]
        self._audio[: staged.numel()].view_as(staged).copy_(staged, non_blocking=True)
        outputs = self._run(len(samples), positions)
        places = [self._place() for _ in samples]
        for place, output in zip(places, outputs, strict=True):
            self._places[place, :positions] = output
        done = Event.now(self._device)
        return [
            Held(self._places[place, :positions], self._silent_suffix, place, done)
            for place in places
        ]

    def _run(self, count: int, positions: int) -> Tensor:
        """(count, positions, width) of the audio that lies there; valid until the next."""
        if self._silent_suffix:
            self._model.encoder.silent(self._device)  # once, and not while it is recorded
        return self._graphs.run(
            ("encode", count, positions), lambda: self._outputs(count, positions)
        )

    def _outputs(self, count: int, positions: int) -> Tensor:
        log_mel, frames = self._model.log_mel, FRAMES_PER_POSITION * positions
        needed = log_mel.samples_for(frames)
        audio = self._audio[: count * needed].view(count, needed).float() / FULL_SCALE
        if self._silent_suffix:
            return all_layers(self._model.encoder.trimmed(log_mel.level(audio, frames, PEAK)))
        return all_layers(self._model.encoder.padded(log_mel.pad(audio)))

    def _place(self) -> int:
        """A place that may be written to, on this stream. Raises IndexError where there is none."""
        place, read = next(iter(self._free.items()), (None, None))
        if place is None:
            raise IndexError(f"All {len(self._places)} places for encoded windows are taken.")
        del self._free[place]
        if read is not None:
            read.before_what_follows()
        return place

    def _here(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


def _in_sizes(items: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """Cut into powers of two, the largest first."""
    first = 0
    while first < len(items):
        size = 1 << min(len(items) - first, most).bit_length() - 1
        yield items[first : first + size]
        first += size


class _Batch(Future[list[Any]]):
    """Windows that are being encoded. It is done when the device says so."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Held] | None = None
        self.set_running_or_notify_cancel()

    def take(self, held: list[Held]) -> None:
        self._held = held

    def done(self) -> bool:
        if (
            not super().done()
            and self._held is not None
            and all(h.done.passed() for h in self._held)
        ):
            self.set_result(self._held)
        return super().done()

    def result(self, timeout: float | None = None) -> list[Any]:
        if not super().done() and self._held is not None:
            for held in self._held:
                held.done.wait()
            self.done()
        return super().result(timeout)
