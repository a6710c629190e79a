"""Continuous batching: a window takes a slot as soon as one is free, and leaves it when done."""

import logging
import math
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

import numpy as np
import torch

from deployments.recognition.device import out_of_memory
from deployments.recognition.engine.base import IDLE_S, Engine
from deployments.recognition.engine.batch import Batch, Seat
from deployments.recognition.engine.capture import Capture
from deployments.recognition.engine.encode_lanes import AHEAD, Encoding
from deployments.recognition.fair_queue import FairQueue, Metrics, NoMetrics, Ticket
from deployments.recognition.model.whisper import Encoded, WhisperModel
from deployments.recognition.window.decode import decode_window
from deployments.recognition.window.questions import (
    Align,
    Aligned,
    Answer,
    Decode,
    DetectLanguage,
    Piece,
    Request,
    WindowDecoding,
)
from interchange.errors import ClientError, Unavailable
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window
from interchange.transcript import WindowTranscript

log = logging.getLogger(__name__)


CLIP_S = 10.0
"""A request's first window is hurried if it is no longer: whoever sent a clip waits for it, and
beside the windows of long recordings it costs little."""

EVERYBODYS = 4
"""Of so many steps one is everybody's, and the others are those of the hurried if there are any
beside others."""


@dataclass(eq=False, slots=True)
class _Job:
    """A window under way. `encoded` are keys and values that wait for a slot, `loaded` the piece
    whose keys and values these, or those in the slot, are."""

    ticket: Ticket
    decoding: WindowDecoding
    request: Request
    encoded: Encoded | None = None
    loaded: Piece | None = None
    seat: Seat | None = None

    @property
    def hurried(self) -> bool:
        return self.ticket.first and self.ticket.audio_s <= CLIP_S


class WhisperEngine(Engine):
    """Windows are encoded, wait for a slot, and are decoded in it.

    `threads` are those of a CPU. From two on, encoding goes on beside decoding.
    """

    def __init__(
        self,
        model: WhisperModel,
        queue: FairQueue,
        *,
        slots: int,
        encode_together: int = 1,
        threads: int = 1,
        silent_suffix: bool = True,
        capture: Capture = "off",
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(queue)
        self._model = model
        self._batch = Batch(model, slots, capture)
        self._encoder = Encoding(model, silent_suffix=silent_suffix, threads=threads)
        self._encode_together = encode_together
        self._metrics = metrics or NoMetrics()
        self._encoding: deque[tuple[list[_Job], Future[list[Encoded]]]] = deque()
        self._ready: deque[_Job] = deque()
        self._seated: dict[Seat, _Job] = {}
        self._steps = 0

    # ------------------------------------------------------------------------- the loop

    def turn(self) -> bool:
        with torch.inference_mode():
            self._let_go()
            try:
                return self._work()
            except (RuntimeError, MemoryError) as error:
                if not self._jobs() or not out_of_memory(error):
                    raise
                self._shrink(error)
                return True

    def _work(self) -> bool:
        self._admit()
        went_on = self._encoder.go_on()
        if not (went_on or self._seated or self._ready) and self._encoding:
            wait([future for _, future in self._encoding], IDLE_S, FIRST_COMPLETED)
        self._collect()
        self._seat()
        # Who was seated made room: the encoder's thread need not wait until the step is made.
        self._admit()
        if not self._seated:
            return bool(self._encoding or self._ready)
        self._encoder.leave_to_decoding()
        self._metrics.stepped(len(self._batch), self._batch.capacity)
        done = self._batch.step(hurried=self._batch.mixed and self._steps % EVERYBODYS != 0)
        self._steps += 1
        self._answer([(self._seated[seat], _decoded(seat)) for seat in done])
        return True

    def _jobs(self) -> list[_Job]:
        """All that are under way, those that came first first."""
        return [
            *self._seated.values(),
            *self._ready,
            *(j for jobs, _ in self._encoding for j in jobs),
        ]

    def _shrink(self, error: Exception) -> None:
        """Go on with half the batch, for good: memory that was short once will be again.

        Its windows go back to the front of the queue and begin anew, since nobody knows how far
        their state was written. A window that does not fit alone fails alone.
        """
        jobs = self._jobs()
        self._encoding.clear()
        if len(jobs) == 1:
            self._fail(jobs[0], error)
        else:
            self._encoder.stop()
            self._batch.capacity = max(1, min(len(jobs), self._batch.capacity) // 2)
            log.warning(
                "%d windows at once do not fit into memory: from now on there are at most %d. "
                "Set recognition.slots to no more. (%s)",
                *(len(jobs), self._batch.capacity, error),
            )
            for job in reversed(jobs):
                self._part(job)
                self.queue.give_back(job.ticket)
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _let_go(self) -> None:
        """Free the slots of callers who departed."""
        for job in [*self._seated.values(), *self._ready]:
            if job.ticket.departed:
                self._finish(job, Unavailable("The caller departed."))

    # ------------------------------------------------------------------------ encoding

    def _admit(self) -> None:
        """Take windows from the queue to be encoded: as many as there are slots for, or a few
        ahead where that goes on beside the decoding. One more if its request has no other, and
        another one if it is a clip."""
        while True:
            most = AHEAD if self._encoder.concurrent else self._batch.room
            ahead = [*self._ready, *(job for jobs, _ in self._encoding for job in jobs)]
            room = most - len(ahead)
            tickets = self.queue.take(min(room, self._encode_together))
            spare = most and self._batch.capacity > 1
            if not tickets and spare and not any(job.hurried for job in ahead):
                longest = CLIP_S if any(job.ticket.first for job in ahead) else math.inf
                tickets = self.queue.take(1, first=True, longest_s=longest)
            if not tickets:
                break
            self._encode(self._begun(tickets))
        # Steps of few rows take nearly the time of many: who makes them can encode as well.
        few = len(self._seated) + len(self._ready) < self._batch.capacity // 2
        if self._encoding and few and self._encoder.free_between:
            firsts = [job.ticket.first for job in self._jobs()]
            # First windows stand still for first windows only.
            if all(firsts) or not any(firsts):
                self._encode(self._begun(self.queue.take(1, first=any(firsts))), between=True)

    def _begun(self, tickets: Sequence[Ticket]) -> list[_Job]:
        jobs = []
        for ticket in tickets:
            decoding = decode_window(ticket.window, ticket.options, self._model.text)
            try:
                jobs.append(_Job(ticket, decoding, next(decoding)))
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                self._failed(ticket, error)
        return jobs

    def _encode(self, jobs: list[_Job], *, between: bool = False) -> None:
        """Begin to encode what jobs ask for, those of like length together."""
        jobs = sorted(jobs, key=lambda job: job.request.piece.length)
        batches = [
            jobs[first : first + self._encode_together]
            for first in range(0, len(jobs), self._encode_together)
        ]
        if any(job.ticket.first for job in jobs):
            # What is not begun yet stands back.
            begun = [(later, future) for later, future in self._encoding if not future.cancel()]
            batches += [later for later, future in self._encoding if future.cancelled()]
            self._encoding = deque(begun)
        for together in batches:
            begin = self._encoder.beside
            if all(self._hurries(job) for job in together):
                begin = self._encoder.at_once
                self._encoder.hand_over()
            elif (between or self._idle()) and self._encoder.free_between:
                begin = self._encoder.between_steps
            future = begin([(job.ticket.window, job.request.piece) for job in together])
            self._encoding.append((together, future))

    def _idle(self) -> bool:
        return not (self._seated or self._ready or self._encoding)

    def _hurries(self, job: _Job) -> bool:
        """Whether a clip would wait for the encoder behind a window of a long recording."""
        return job.hurried and any(
            other.ticket.audio_s > CLIP_S for jobs, _ in self._encoding for other in jobs
        )

    def _collect(self) -> None:
        """Take over what is encoded."""
        for each in [each for each in self._encoding if each[1].done()]:
            jobs, future = each
            for job, encoded in zip(jobs, future.result(), strict=True):
                job.encoded, job.loaded = encoded, job.request.piece
            self._encoding.remove(each)
            self._ready.extend(jobs)

    # ------------------------------------------------------------------------- decoding

    def _seat(self) -> None:
        """Give the slots that are free to windows that are encoded.

        A clip goes before a request's first window, and that before other requests' further
        ones. The last slot is kept for them: they need not wait until another window is done.
        """
        seated = []
        while self._ready and self._batch.room:
            job = min(self._ready, key=lambda job: (not job.hurried, not job.ticket.first))
            if self._batch.room == 1 < self._batch.capacity and not job.ticket.first:
                break
            self._ready.remove(job)
            assert job.encoded is not None
            # On a CPU each row of a step takes its time. A GPU reads its weights for all at once.
            job.seat = self._batch.sit(hurried=job.hurried and self._encoder.concurrent)
            self._seated[job.seat] = job
            self._batch.load(job.seat, job.encoded)
            job.encoded = None
            seated.append(job)
        if seated:
            self._serve(seated)

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
        """Begin what jobs in slots ask for: decodings run on with the batch, the rest is done at
        once. Who asks for another piece of audio leaves the slot until that is encoded."""
        elsewhere = [job for job in jobs if job.request.piece != job.loaded]
        for job in elsewhere:
            self._stand_up(job)
        self._encode(elsewhere)
        jobs = [job for job in jobs if job.seat is not None]
        detect = [(job, job.request) for job in jobs if isinstance(job.request, DetectLanguage)]
        decode = [(job, job.request) for job in jobs if isinstance(job.request, Decode)]
        align = [(job, job.request) for job in jobs if isinstance(job.request, Align)]
        if decode:
            self._batch.start({_seat(job): request for job, request in decode})
        answers: list[tuple[_Job, Answer]] = []
        if detect:
            found = self._batch.detect_language(
                [_seat(job) for job, _ in detect], [request.allowed for _, request in detect]
            )
            answers += zip((job for job, _ in detect), found, strict=True)
        if align:
            texts = {_seat(job): ((*r.prompt, *r.tokens), len(r.prompt)) for job, r in align}
            starts = self._batch.align(texts)
            answers += [(job, Aligned(starts[_seat(job)])) for job, _ in align]
        self._answer(answers)

    def _stand_up(self, job: _Job) -> None:
        if job.seat is not None:
            del self._seated[job.seat]
            self._batch.leave(job.seat)
            job.seat = None

    # --------------------------------------------------------------------------- the end

    def _finish(self, job: _Job, outcome: WindowTranscript | Exception) -> None:
        self._part(job)
        self.queue.finish(job.ticket, outcome)

    def _fail(self, job: _Job, error: Exception) -> None:
        self._part(job)
        self._failed(job.ticket, error)

    def _part(self, job: _Job) -> None:
        job.decoding.close()
        self._stand_up(job)
        if job in self._ready:
            self._ready.remove(job)

    def _failed(self, ticket: Ticket, error: Exception) -> None:
        """A window fails alone: it is answered, and the others go on."""
        if isinstance(error, ClientError):
            self.queue.finish(ticket, error)
            return
        log.error("Window %d failed.", ticket.window.index, exc_info=error)
        self.queue.finish(ticket, failed(ticket, f"Recognition failed: {error}"))

    def abandon(self, error: Exception) -> None:
        self._encoder.stop()
        for job in self._jobs():
            self.queue.finish(job.ticket, error)
        self._seated.clear()
        self._ready.clear()
        self._encoding.clear()

    def warm_up(self) -> None:
        """Recognize a second of faint noise, words and all.

        Raises Unavailable where that is not possible.
        """
        noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE).astype(np.int16)
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


def _seat(job: _Job) -> Seat:
    assert job.seat is not None
    return job.seat
