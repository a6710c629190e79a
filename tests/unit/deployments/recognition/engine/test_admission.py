"""Who is encoded and seated next, with lanes that encode nothing and no model."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from deployments.recognition.engine.admission import Admission, Admitted, Pieces, Stage
from deployments.recognition.fair_queue import FairQueue, Ticket
from deployments.recognition.window.questions import Decode, Piece, WindowDecoding
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window

LONG_S, CLIP_S = 24, 3


class Lanes:
    """Notes what is begun, and how; `finish` ends the oldest."""

    def __init__(self, ahead: int | None, together: int = 1) -> None:
        self.ahead, self.together = ahead, together
        self.open, self.free_between = True, False
        self.begun: list[tuple[str, int]] = []
        self._futures: list[tuple[Pieces, Future[list[Any]]]] = []

    def _begin(self, way: str, pieces: Pieces) -> Future[list[Any]]:
        future: Future[list[Any]] = Future()
        if not self._futures:
            future.set_running_or_notify_cancel()  # the others wait for it
        self.begun.append((way, len(pieces)))
        self._futures.append((pieces, future))
        return future

    def beside(self, pieces: Pieces) -> Future[list[Any]]:
        return self._begin("beside", pieces)

    def between_steps(self, pieces: Pieces) -> Future[list[Any]]:
        self.free_between = False
        return self._begin("between", pieces)

    def at_once(self, pieces: Pieces) -> Future[list[Any]]:
        return self._begin("at once", pieces)

    def finish(self) -> None:
        for pieces, future in self._futures:
            if future.running() or future.set_running_or_notify_cancel():
                future.set_result([object() for _ in pieces])
        self._futures.clear()


def dialogue(window: Window) -> WindowDecoding:
    yield Decode(Piece(0, len(window.samples)), (), 0)
    raise AssertionError("nobody answers here")


class Bench:
    def __init__(self, ahead: int | None, together: int = 1, capacity: int = 4) -> None:
        self.queue, self.lanes, self.capacity = FairQueue(1e6), Lanes(ahead, together), capacity
        self.decoding: list[Admitted] = []
        self.admission = Admission(self.queue, self.lanes, self._begin)

    def _begin(self, ticket: Ticket) -> Admitted:
        talk = dialogue(ticket.window)
        return Admitted(ticket, talk, next(talk))

    def put(self, request: str, seconds: float = LONG_S, count: int = 1) -> list[Ticket]:
        samples = np.zeros(int(seconds * SAMPLE_RATE), np.int16)
        return [
            self.queue.put(Window(i, 0, samples, ()), RecognitionOptions(request))
            for i in range(count)
        ]

    def admit(self) -> list[Ticket]:
        self.admission.admit(self.decoding, self.capacity)
        return [window.ticket for window in self.admission.waiting]

    def fill(self) -> list[Ticket]:
        """Everything that is encoded takes a slot if it may."""
        self.lanes.finish()
        self.admission.collect()
        while window := self.admission.next(self.capacity - len(self.decoding), self.capacity):
            self.decoding.append(window)
        return [window.ticket for window in self.decoding]


def stages(windows: Sequence[Admitted]) -> list[Stage]:
    return [window.stage for window in windows]


def test_a_window_is_encoded_is_ready_and_takes_a_slot() -> None:
    bench = Bench(ahead=None)
    [ticket] = bench.put("one")
    assert bench.admit() == [ticket]
    assert stages(bench.admission.encoding) == [Stage.ENCODING]
    bench.lanes.finish()
    bench.admission.collect()
    assert stages(bench.admission.ready) == [Stage.READY]
    assert bench.admission.ready[0].encoded is not None
    window = bench.admission.next(1, 4)
    assert window is not None
    assert (window.stage, window.piece) == (Stage.DECODING, Piece(0, LONG_S * SAMPLE_RATE))
    assert not bench.admission.waiting


def test_without_lanes_ahead_as_many_are_admitted_as_there_are_slots() -> None:
    bench = Bench(ahead=None)
    bench.put("long", count=9)
    assert len(bench.admit()) == bench.capacity
    bench.fill()
    assert len(bench.decoding) == bench.capacity - 1, "the last is kept for a first window"
    assert len(bench.admit()) == 1


def test_lanes_say_how_many_may_be_ahead() -> None:
    bench = Bench(ahead=2)
    bench.put("long", count=9)
    assert len(bench.admit()) == 2


def test_windows_are_encoded_in_batches_of_like_length() -> None:
    bench = Bench(ahead=16, together=4)
    bench.put("long", count=6)
    bench.put("short", CLIP_S, count=2)
    bench.admit()
    assert [count for _, count in bench.lanes.begun] == [4, 4]
    assert len(bench.admission.encoding) == 8


def test_lanes_that_are_busy_take_first_windows_only() -> None:
    bench = Bench(ahead=16, together=4)
    bench.put("long", count=9)
    bench.lanes.open = False
    assert len(bench.admit()) == 1
    [clip] = bench.put("clip", CLIP_S)
    assert clip in bench.admit()
    bench.put("another", CLIP_S)
    assert len(bench.admit()) == 2, "one urgent window at a time is enough beyond the rest"


def test_a_clip_goes_before_a_first_window_and_that_before_the_others() -> None:
    bench = Bench(ahead=None, capacity=3)
    further = bench.put("long", count=3)
    bench.admit()
    bench.fill()
    assert len(bench.decoding) == 2
    [first] = bench.put("other")
    bench.admit()
    [clip] = bench.put("clip", CLIP_S)
    bench.admit()
    bench.lanes.finish()
    bench.admission.collect()
    names = []
    while window := bench.admission.next(2, 3):
        names.append(window.ticket)
    assert names == [clip, first, further[2]]


def test_what_is_not_hurried_has_a_slot_as_soon_but_no_steps_of_its_own() -> None:
    bench = Bench(ahead=None)
    samples = np.zeros(SAMPLE_RATE, np.int16)
    for name, hurried in (("live", False), ("clip", True)):
        options = RecognitionOptions(name, hurried=hurried)
        bench.queue.put(Window(0, 0, samples, ()), options)
    bench.admit()
    bench.fill()
    assert [(each.urgent, each.steps_ahead) for each in bench.decoding] == [
        (True, False),
        (True, True),
    ]


def test_the_last_slot_is_kept_for_a_request_that_has_none() -> None:
    bench = Bench(ahead=2, capacity=2)
    bench.put("long", count=3)
    bench.admit()
    assert len(bench.fill()) == 1
    [clip] = bench.put("clip", CLIP_S)
    bench.admit()
    assert bench.fill()[-1] is clip


def test_with_one_slot_nothing_is_kept_back() -> None:
    bench = Bench(ahead=None, capacity=1)
    bench.put("long", count=2)
    bench.admit()
    assert len(bench.fill()) == 1
    bench.decoding.clear()
    bench.admit()
    assert len(bench.fill()) == 1


def test_a_clip_does_not_wait_behind_a_long_window_in_the_lanes() -> None:
    bench = Bench(ahead=2)
    bench.put("long", count=2)
    bench.admit()
    assert {way for way, _ in bench.lanes.begun} == {"beside"}
    bench.put("clip", CLIP_S)
    bench.admit()
    # What had not begun stood back, and follows.
    assert ("at once", 1) in bench.lanes.begun
    assert len(bench.admission.encoding) == 3


def test_while_few_are_decoded_one_is_encoded_between_the_steps() -> None:
    bench = Bench(ahead=1, capacity=8)
    for request in range(9):
        bench.put(f"request {request}")
    bench.lanes.free_between = True
    bench.admit()
    assert [way for way, _ in bench.lanes.begun] == ["between"], "nobody is being decoded"
    bench.fill()
    bench.lanes.free_between = True
    bench.admit()
    assert [way for way, _ in bench.lanes.begun[1:]] == ["beside", "between"]
    bench.fill()
    for request in range(3):
        bench.put(f"long {request}", count=2)
    bench.decoding[0].ticket.first = False
    bench.lanes.free_between = True
    bench.admit()
    assert [way for way, _ in bench.lanes.begun[3:]] == ["beside"], "they would stand still"


def test_who_is_dropped_or_fails_is_forgotten() -> None:
    bench = Bench(ahead=None)
    bench.put("long", count=3)
    bench.admit()
    bench.admission.forget_encoding()
    assert not bench.admission.waiting
    bench.put("other")
    bench.admit()
    bench.lanes.finish()
    bench.admission.collect()
    for window in list(bench.admission.ready):
        bench.admission.drop(window)
    assert not bench.admission.waiting


def test_what_goes_wrong_in_a_lane_is_raised() -> None:
    bench = Bench(ahead=None)
    bench.put("long")
    bench.admit()
    _, future = bench.lanes._futures[0]
    future.set_exception(MemoryError("of the encoder"))
    with pytest.raises(MemoryError, match="of the encoder"):
        bench.admission.collect()
