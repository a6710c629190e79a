"""Continuous batching: a window takes a slot as soon as one is free, and leaves it when done."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from deployments.recognition.batch import Batch, Seat
from deployments.recognition.batcher import FairQueue, Metrics, NoMetrics, Ticket
from deployments.recognition.capture import Capture
from deployments.recognition.device import out_of_memory
from deployments.recognition.engine import Engine
from deployments.recognition.model import WhisperModel
from deployments.recognition.requests import (
    Align,
    Aligned,
    Answer,
    Decode,
    DetectLanguage,
    Piece,
    Request,
    WindowDecoding,
)
from deployments.recognition.speech_spans import Speech
from deployments.recognition.window_decoding import decode_window
from serve_app.errors import ClientError, Unavailable
from serve_app.transcription.stages import SAMPLE_RATE, RecognitionOptions, Window
from serve_app.transcription.transcript import WindowTranscript

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Job:
    """A window in its slot. `loaded` is the piece whose keys and values the slot holds."""

    ticket: Ticket
    decoding: WindowDecoding
    request: Request
    seat: Seat
    loaded: Piece | None = None


class WhisperEngine(Engine):
    def __init__(
        self,
        model: WhisperModel,
        queue: FairQueue,
        *,
        slots: int,
        encode_together: int = 1,
        silent_suffix: bool = True,
        capture: Capture = "off",
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(queue)
        self._model = model
        self._batch = Batch(model, slots, capture)
        self._encode_together = encode_together
        self._silent_suffix = silent_suffix
        self._metrics = metrics or NoMetrics()
        self._jobs: dict[Seat, _Job] = {}

    # ------------------------------------------------------------------------- the loop

    def turn(self) -> bool:
        with torch.inference_mode():
            self._let_go()
            try:
                return self._work()
            except (RuntimeError, MemoryError) as error:
                if not self._jobs or not out_of_memory(error):
                    raise
                self._shrink(error)
                return True

    def _work(self) -> bool:
        self._admit()
        if not self._jobs:
            return False
        self._metrics.stepped(len(self._batch), self._batch.capacity)
        done = self._batch.step()
        self._answer([(self._jobs[seat], _decoded(seat)) for seat in done])
        return True

    def _shrink(self, error: Exception) -> None:
        """Go on with half the batch, for good: memory that was short once will be again.

        Its windows go back to the front of the queue and begin anew, since nobody knows how far
        their state was written. A window that does not fit alone fails alone.
        """
        jobs = list(self._jobs.values())
        if len(jobs) == 1:
            self._fail(jobs[0], error)
        else:
            self._batch.capacity = len(jobs) // 2
            log.warning(
                "%d windows at once do not fit into memory: from now on there are at most %d. "
                "Set recognition.slots to no more. (%s)",
                *(len(jobs), self._batch.capacity, error),
            )
            for job in reversed(jobs):
                job.decoding.close()
                del self._jobs[job.seat]
                self._batch.leave(job.seat)
                self.queue.give_back(job.ticket)
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _let_go(self) -> None:
        """Free the slots of callers who departed."""
        for job in list(self._jobs.values()):
            if job.ticket.departed:
                self._finish(job, Unavailable("The caller departed."))

    def _admit(self) -> None:
        while room := min(self._batch.room, self._encode_together):
            tickets = self.queue.take(room)
            if not tickets:
                return
            jobs = []
            for ticket in tickets:
                decoding = decode_window(ticket.window, ticket.options, self._model.text)
                try:
                    request = next(decoding)
                except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                    self._failed(ticket, error)
                    continue
                job = _Job(ticket, decoding, request, self._batch.sit())
                self._jobs[job.seat] = job
                jobs.append(job)
            self._serve(jobs)

    def _answer(self, answers: Iterable[tuple[_Job, Answer]]) -> None:
        """Hand jobs what they asked for, and serve what they ask for next."""
        asking = []
        for job, answer in answers:
            try:
                job.request = job.decoding.send(answer)
            except StopIteration as done:
                self._finish(job, done.value)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                self._fail(job, error)
            else:
                asking.append(job)
        if asking:
            self._serve(asking)

    def _serve(self, jobs: list[_Job]) -> None:
        """Begin what jobs ask for: decodings run on with the batch, the rest is done at once."""
        self._encode([job for job in jobs if job.request.piece != job.loaded])
        jobs = [job for job in jobs if job.seat in self._jobs]
        detect = [(job, job.request) for job in jobs if isinstance(job.request, DetectLanguage)]
        decode = [(job, job.request) for job in jobs if isinstance(job.request, Decode)]
        align = [(job, job.request) for job in jobs if isinstance(job.request, Align)]
        if decode:
            self._batch.start({job.seat: request for job, request in decode})
        answers: list[tuple[_Job, Answer]] = []
        if detect:
            found = self._batch.detect_language(
                [job.seat for job, _ in detect], [request.allowed for _, request in detect]
            )
            answers += zip((job for job, _ in detect), found, strict=True)
        if align:
            texts = {job.seat: ((*r.prompt, *r.tokens), len(r.prompt)) for job, r in align}
            starts = self._batch.align(texts)
            answers += [(job, Aligned(starts[job.seat])) for job, _ in align]
        self._answer(answers)

    def _encode(self, jobs: list[_Job]) -> None:
        jobs = sorted(jobs, key=lambda job: job.request.piece.end - job.request.piece.start)
        for first in range(0, len(jobs), self._encode_together):
            together = jobs[first : first + self._encode_together]
            pieces = [(job.ticket.window, job.request.piece) for job in together]
            if self._silent_suffix:
                encoded = self._model.encode_trimmed(
                    [
                        (w.samples[p.start : p.end], self._model.positions(_speech_end(w, p)))
                        for w, p in pieces
                    ]
                )
            else:
                encoded = self._model.encode_padded([w.samples[p.start : p.end] for w, p in pieces])
            for job, output in zip(together, encoded, strict=True):
                self._batch.load(job.seat, output)
                job.loaded = job.request.piece

    # --------------------------------------------------------------------------- the end

    def _finish(self, job: _Job, outcome: WindowTranscript | Exception) -> None:
        job.decoding.close()
        del self._jobs[job.seat]
        self._batch.leave(job.seat)
        self.queue.finish(job.ticket, outcome)

    def _fail(self, job: _Job, error: Exception) -> None:
        del self._jobs[job.seat]
        self._batch.leave(job.seat)
        self._failed(job.ticket, error)

    def _failed(self, ticket: Ticket, error: Exception) -> None:
        """A window fails alone: it is answered, and the others go on."""
        if isinstance(error, ClientError):
            self.queue.finish(ticket, error)
            return
        log.error("Window %d failed.", ticket.window.index, exc_info=error)
        self.queue.finish(ticket, failed(ticket, f"Recognition failed: {error}"))

    def abandon(self, error: Exception) -> None:
        for job in list(self._jobs.values()):
            self.queue.finish(job.ticket, error)
        self._jobs.clear()

    def warm_up(self) -> None:
        """Recognize a second of faint noise, words and all.

        Raises Unavailable where that is not possible.
        """
        noise = np.random.default_rng(0).normal(0, 1e-3, SAMPLE_RATE).astype(np.float32)
        window = Window(0, 0, noise, ((0, SAMPLE_RATE),))
        ticket = self.queue.put(window, RecognitionOptions("warm-up", word_timestamps=True))
        while not ticket.future.done():
            self.turn()
        if (reason := ticket.future.result().failed) is not None:
            raise Unavailable(f"The recognizer cannot work: {reason}")


def failed(ticket: Ticket, reason: str) -> WindowTranscript:
    window = ticket.window
    return WindowTranscript(
        window.index, window.start, window.end, (), ticket.options.language or "en", failed=reason
    )


def _decoded(seat: Seat) -> Answer:
    assert seat.decoded is not None
    return seat.decoded


def _speech_end(window: Window, piece: Piece) -> float:
    """Seconds from a piece's start to the end of the window's speech."""
    end = round(Speech.of(window).end * SAMPLE_RATE)
    return (min(max(end, piece.start), piece.end) - piece.start) / SAMPLE_RATE
