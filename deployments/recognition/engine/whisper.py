"""Continuous batching: a window takes a slot as soon as one is free, and leaves it when done."""

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch

from deployments.memory import out_of_memory
from deployments.recognition.engine.admission import Admission, Admitted, Lanes
from deployments.recognition.engine.base import IDLE_S, Engine
from deployments.recognition.fair_queue import FairQueue, Ticket
from deployments.recognition.window.decode import decode_window
from deployments.recognition.window.questions import Answer, Request
from deployments.recognition.window.vocabulary import Text
from interchange import measures
from interchange.errors import ClientError, Unavailable
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window
from interchange.transcript import WindowTranscript

log = logging.getLogger("ray.serve")

SHARED_STEP = 4
"""Of so many steps one is for all rows, and the others are for those of clips, if there are any
beside others."""

Slot = TypeVar("Slot")


class RunningBatch(Protocol[Slot]):
    """Windows that are decoded together, each in a slot. Answers come when they are known."""

    capacity: int

    def __len__(self) -> int: ...
    @property
    def room(self) -> int: ...
    @property
    def mixed(self) -> bool:
        """Whether some rows are urgent and others not, and steps can be made of the former."""
        ...

    def take(self, *, urgent: bool) -> Slot: ...
    def leave(self, slot: Slot) -> None: ...
    def load(self, slot: Slot, encoded: Any) -> None: ...
    def ask(self, requests: Sequence[tuple[Slot, Request]]) -> Sequence[tuple[Slot, Answer]]: ...
    def step(self, *, urgent: bool) -> Sequence[tuple[Slot, Answer]]: ...
    def free_memory(self) -> None:
        """Give back what can be made again, and what `capacity` no longer needs."""
        ...

    def warm_up(self) -> None:
        """Make all that the first windows would otherwise wait for."""
        ...


class WorkingLanes(Lanes, Protocol):
    def go_on(self) -> bool:
        """Encode a little of what is encoded between the steps. Whether there was any."""
        ...

    def leave_to_decoding(self) -> None:
        """A step comes next."""
        ...

    def release(self, encoded: Any) -> None:
        """What was encoded is loaded, or nobody wants it any more."""
        ...

    def stop(self) -> None:
        """Drop what was begun."""
        ...

    def warm_up(self) -> None:
        """Make all that the first windows would otherwise wait for."""
        ...


class WhisperEngine(Engine, Generic[Slot]):
    """Windows are encoded in `lanes`, wait for a slot, and are `decoding` in it in one `batch`."""

    def __init__(
        self,
        text: Text,
        batch: RunningBatch[Slot],
        lanes: WorkingLanes,
        queue: FairQueue,
        *,
        device: AbstractContextManager[Any] | None = None,
    ) -> None:
        """`device` is where a turn's work is done, a stream of a GPU."""
        super().__init__(queue)
        self._text, self.batch, self.lanes = text, batch, lanes
        self.admission = Admission(queue, lanes, self._begin)
        self.decoding: dict[Admitted, Slot] = {}
        self._device = device or nullcontext()
        self._steps = 0

    @property
    def capacity(self) -> int:
        """How many windows are decoded at once: fewer than slots after memory ran out."""
        return self.batch.capacity

    @property
    def under_way(self) -> list[Admitted]:
        """All windows, those that came first first."""
        return [*self.decoding, *self.admission.waiting]

    # ------------------------------------------------------------------------- the loop

    def turn(self) -> bool:
        with torch.inference_mode(), self._device:
            self._let_go()
            try:
                return self._work()
            except (RuntimeError, MemoryError) as error:
                if not self.under_way or not out_of_memory(error):
                    raise
                self._shrink(error)
                return True

    def _work(self) -> bool:
        self.admit()
        went_on = self.lanes.go_on()
        idle = not (went_on or self.decoding or self.admission.ready)
        self.admission.collect(IDLE_S if idle else 0.0)
        self.fill_slots()
        # Who took a slot made room: the encoder need not wait until the step is made.
        self.admit()
        if not self.decoding:
            return bool(self.admission.waiting)
        self.lanes.leave_to_decoding()
        rows, began = len(self.batch), time.monotonic()
        answers = self.batch.step(urgent=self.batch.mixed and self._steps % SHARED_STEP != 0)
        measures.STEP_SECONDS.record(time.monotonic() - began)
        measures.BATCH_ROWS.record(rows)
        measures.SLOTS_USED.record(rows / self.batch.capacity)
        self._answer(answers)
        self._steps += 1
        return True

    def admit(self) -> None:
        """Take windows from the queue to be encoded."""
        self.admission.admit(self.decoding, self.batch.capacity)

    def fill_slots(self) -> None:
        """Give the slots that are free to windows that are encoded."""
        asking = []
        while (window := self.admission.next(self.batch.room, self.batch.capacity)) is not None:
            slot = self.decoding[window] = self.batch.take(urgent=window.steps_ahead)
            self.batch.load(slot, window.encoded)
            self._release(window)
            asking.append(window)
        self._serve(asking)

    def _let_go(self) -> None:
        """Free the slots of callers who departed."""
        for window in [*self.decoding, *self.admission.ready]:
            if window.ticket.departed:
                self._finish(window, Unavailable("The caller departed."))

    def _shrink(self, error: Exception) -> None:
        """Go on with half the batch, for good: memory that was short once will be again.

        Its windows go back to the front of the queue and begin anew, since nobody knows how far
        their state was written. A window that does not fit alone fails alone.
        """
        windows = self.under_way
        self.admission.forget_encoding()
        if len(windows) == 1:
            self._fail(windows[0], error)
        else:
            self.lanes.stop()
            self.batch.capacity = max(1, min(len(windows), self.batch.capacity) // 2)
            log.warning(
                "%d windows at once do not fit into memory: from now on there are at most %d. "
                "Set recognition.slots to no more. (%s)",
                *(len(windows), self.batch.capacity, error),
            )
            for window in reversed(windows):
                self._drop(window)
                self.queue.give_back(window.ticket)
        self.batch.free_memory()

    # ------------------------------------------------------------------------- dialogue

    def _begin(self, ticket: Ticket) -> Admitted | None:
        dialogue = decode_window(ticket.window, ticket.options, self._text)
        try:
            return Admitted(ticket, dialogue, next(dialogue))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._failed(ticket, error)
            return None

    def _answer(self, answers: Iterable[tuple[Slot, Answer]]) -> None:
        """Hand windows what they asked for, and serve what they ask for next."""
        answered = list(answers)
        while answered:
            windows = {slot: window for window, slot in self.decoding.items()}
            asking = []
            for slot, answer in answered:
                window = windows[slot]
                try:
                    window.request = window.dialogue.send(answer)
                except StopIteration as done:
                    self._finish(window, done.value)
                except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                    self._fail(window, error)
                else:
                    asking.append(window)
            answered = self._begin_requests(asking)

    def _serve(self, windows: Sequence[Admitted]) -> None:
        self._answer(self._begin_requests(windows))

    def _begin_requests(self, windows: Sequence[Admitted]) -> list[tuple[Slot, Answer]]:
        """Begin what windows in slots ask for; gives what could be answered at once. Who asks for
        another piece of audio leaves the slot until that is encoded."""
        elsewhere = [window for window in windows if window.request.piece != window.piece]
        for window in elsewhere:
            self.batch.leave(self.decoding.pop(window))
        if elsewhere:
            self.admission.encode(elsewhere, self.decoding)
        asking = [
            (self.decoding[window], window.request) for window in windows if window in self.decoding
        ]
        return list(self.batch.ask(asking)) if asking else []

    # --------------------------------------------------------------------------- the end

    def _finish(self, window: Admitted, outcome: WindowTranscript | Exception) -> None:
        self._drop(window)
        self.queue.finish(window.ticket, outcome)

    def _fail(self, window: Admitted, error: Exception) -> None:
        self._drop(window)
        self._failed(window.ticket, error)

    def _drop(self, window: Admitted) -> None:
        window.dialogue.close()
        slot = self.decoding.pop(window, None)
        if slot is not None:
            self.batch.leave(slot)
        self.admission.drop(window)
        self._release(window)

    def _release(self, window: Admitted) -> None:
        if window.encoded is not None:
            self.lanes.release(window.encoded)
            window.encoded = None

    def _failed(self, ticket: Ticket, error: Exception) -> None:
        """A window fails alone: it is answered, and the others go on."""
        if isinstance(error, ClientError):
            self.queue.finish(ticket, error)
            return
        whose = {"recording": ticket.options.request_id}
        log.error("Window %d failed.", ticket.window.index, exc_info=error, extra=whose)
        self.queue.finish(ticket, failed(ticket, f"Recognition failed: {error}"))

    def abandon(self, error: Exception) -> None:
        self.lanes.stop()
        for window in self.under_way:
            self.queue.finish(window.ticket, error)
        self.decoding.clear()
        for window in list(self.admission.ready):
            self.admission.drop(window)
        self.admission.forget_encoding()

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
        with torch.inference_mode(), self._device:
            self.lanes.warm_up()
            self.batch.warm_up()


def failed(ticket: Ticket, reason: str) -> WindowTranscript:
    window = ticket.window
    return WindowTranscript(
        window.index, window.start, window.end, (), ticket.options.language or "en", failed=reason
    )
