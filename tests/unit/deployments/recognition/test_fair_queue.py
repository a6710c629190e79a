import asyncio
from collections import Counter
from concurrent.futures import CancelledError
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.autoscaling import Load, Part
from deployments.recognition.fair_queue import BULK_PATIENCE_S, HEAD_START_S, FairQueue, Ticket
from interchange import measures
from interchange.errors import QueueFull, Unavailable
from interchange.stages import SAMPLE_RATE, Priority, RecognitionOptions, Window
from interchange.transcript import WindowTranscript
from tests.support.figures import Figures

WINDOW_S = 30


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> FairQueue:
    return FairQueue(3600, clock=clock)


_indexes = count()


def window(seconds: float = WINDOW_S) -> Window:
    return Window(next(_indexes), 0, np.zeros(round(seconds * SAMPLE_RATE), np.int16), ())


def put(
    queue: FairQueue,
    request: str,
    seconds: float = WINDOW_S,
    *,
    priority: Priority = "interactive",
    batch_size: int | None = None,
) -> Ticket:
    options = RecognitionOptions(request, priority=priority, batch_size=batch_size)
    return queue.put(window(seconds), options)


def fill(queue: FairQueue, request: str, windows: int, priority: Priority = "interactive") -> None:
    for _ in range(windows):
        put(queue, request, priority=priority)


def transcript(ticket: Ticket, decoded_again: int = 0) -> WindowTranscript:
    w = ticket.window
    return WindowTranscript(w.index, w.start, w.end, (), "en", decoded_again=decoded_again)


def serve(queue: FairQueue, windows: int) -> str:
    """Whose windows are served next, one after the other."""
    served = ""
    for _ in range(windows):
        (ticket,) = queue.take(1)
        served += ticket.options.request_id
        queue.finish(ticket, transcript(ticket))
    return served


# --------------------------------------------------------------------------- whose turn


def test_windows_of_one_request_come_in_their_order(queue: FairQueue) -> None:
    tickets = [put(queue, "a") for _ in range(5)]
    assert queue.take(3) == tickets[:3]
    assert queue.take(3) == tickets[3:]
    assert queue.take(3) == []


def test_the_least_served_request_is_next(queue: FairQueue) -> None:
    fill(queue, "a", 6)
    fill(queue, "b", 6)
    assert serve(queue, 8) == "abababab"


def test_what_counts_is_audio_and_not_windows(queue: FairQueue) -> None:
    for _ in range(4):
        put(queue, "a", 20)
    for _ in range(8):
        put(queue, "b", 5)
    assert Counter(serve(queue, 10)) == {"a": 2, "b": 8}


def test_a_short_clip_goes_ahead_of_a_long_recording(queue: FairQueue) -> None:
    fill(queue, "a", 20)
    serve(queue, 10)
    fill(queue, "b", 2)
    assert serve(queue, 3) == "bba"


def test_a_second_long_recording_stops_the_first_for_its_head_start_only(queue: FairQueue) -> None:
    fill(queue, "a", 30)
    serve(queue, 10)
    fill(queue, "b", 20)
    first = int(HEAD_START_S // WINDOW_S)
    served = serve(queue, first + 8)
    assert served[:first] == "b" * first
    assert Counter(served[first:]) == {"a": 4, "b": 4}


def test_a_request_that_is_served_out_starts_anew(queue: FairQueue) -> None:
    fill(queue, "a", 4)
    serve(queue, 4)
    fill(queue, "a", 3)
    fill(queue, "b", 3)
    assert serve(queue, 4) == "abab"


def test_interactive_requests_go_before_bulk_ones(queue: FairQueue) -> None:
    fill(queue, "b", 3, "bulk")
    fill(queue, "a", 3)
    assert serve(queue, 6) == "aaabbb"


def test_a_bulk_request_that_waited_for_long_gets_a_turn_and_waits_again(
    queue: FairQueue, clock: Clock
) -> None:
    fill(queue, "b", 5, "bulk")
    fill(queue, "a", 20)
    assert serve(queue, 5) == "aaaaa"
    clock.now += BULK_PATIENCE_S - 0.1
    assert serve(queue, 1) == "a"
    clock.now += 0.1
    assert serve(queue, 3) == "baa"
    clock.now += BULK_PATIENCE_S
    assert serve(queue, 3) == "baa"


def test_a_request_has_no_more_windows_running_than_its_batch_size(queue: FairQueue) -> None:
    for _ in range(5):
        put(queue, "a", batch_size=2)
    running = queue.take(8)
    assert len(running) == 2
    assert queue.take(8) == []
    queue.finish(running[0], transcript(running[0]))
    assert len(queue.take(8)) == 1


def test_only_requests_that_have_nothing_under_way_can_be_asked_for(queue: FairQueue) -> None:
    fill(queue, "a", 2)
    assert [ticket.first for ticket in queue.take(1)] == [True]
    assert queue.take(1, first=True) == []
    fill(queue, "b", 2)
    assert [(t.options.request_id, t.first) for t in queue.take(2, first=True)] == [("b", True)]
    assert [ticket.first for ticket in queue.take(2)] == [False, False]


def test_so_can_those_whose_window_is_short(queue: FairQueue) -> None:
    put(queue, "long")
    put(queue, "clip", seconds=5)
    assert [t.options.request_id for t in queue.take(2, first=True, longest_s=10)] == ["clip"]


def test_room_that_a_batch_size_leaves_goes_to_others(queue: FairQueue) -> None:
    for _ in range(5):
        put(queue, "a", batch_size=1)
    fill(queue, "b", 2)
    assert sorted(ticket.options.request_id for ticket in queue.take(8)) == ["a", "b", "b"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), max_size=40),
    st.integers(1, 5),
)
def test_every_window_is_served_once_and_each_request_in_order(
    windows: list[tuple[str, int]], room: int
) -> None:
    queue = FairQueue(1e9, clock=Clock())
    waiting = [put(queue, request, seconds) for request, seconds in windows]
    taken: list[Ticket] = []
    while some := queue.take(room):
        assert len(some) <= room
        taken += some
    assert len(taken) == len(waiting)
    for request in "abc":
        mine = [t for t in waiting if t.options.request_id == request]
        assert [t for t in taken if t.options.request_id == request] == mine
    assert queue.audio_s == 0


@pytest.mark.slow
@given(st.lists(st.integers(1, 30), min_size=40, max_size=60), st.integers(0, 20))
def test_two_endless_requests_never_drift_apart_by_more_than_a_window_and_the_head_start(
    seconds: list[int], late: int
) -> None:
    queue = FairQueue(1e9, clock=Clock())
    audio: Counter[str] = Counter()

    def served() -> None:
        (ticket,) = queue.take(1)
        audio[ticket.options.request_id] += round(ticket.audio_s)

    for each in seconds:
        put(queue, "a", each)
    for _ in range(late):
        served()
    before = audio["a"]
    for each in seconds:
        put(queue, "b", each)
    # Until one of them has nothing left there are two that could be served.
    while max(audio["a"], audio["b"]) < sum(seconds) - 60:
        served()
        assert abs(audio["b"] - (audio["a"] - before)) <= HEAD_START_S + 30


# --------------------------------------------------------------------------- the bound


def test_beyond_the_bound_a_window_is_refused_with_a_time_to_come_back(clock: Clock) -> None:
    queue = FairQueue(100, clock=clock)
    fill(queue, "a", 3)
    with pytest.raises(QueueFull, match=r"90 s of audio already wait.*100 s may") as error:
        put(queue, "b")
    assert error.value.retry_after == 90
    assert queue.audio_s == 90
    queue.take(1)
    put(queue, "b")


def test_the_time_to_come_back_follows_what_was_done_lately(clock: Clock) -> None:
    queue = FairQueue(100, clock=clock)
    for _ in range(4):
        put(queue, "a")
        clock.now += 2
        serve(queue, 1)
    clock.now += 4
    fill(queue, "a", 3)
    # 120 s of audio took 10 s since the first was done: 90 s take 7.5 s.
    with pytest.raises(QueueFull) as error:
        put(queue, "b")
    assert error.value.retry_after == 8


def test_a_time_without_work_does_not_count_as_slow_work(clock: Clock) -> None:
    queue = FairQueue(100, clock=clock)
    fill(queue, "a", 3)
    serve(queue, 3)
    clock.now += 24 * 3600
    fill(queue, "a", 3)
    with pytest.raises(QueueFull) as error:
        put(queue, "b")
    assert error.value.retry_after == 90


def test_the_time_to_come_back_is_never_less_than_a_second(clock: Clock) -> None:
    queue = FairQueue(1, clock=clock)
    put(queue, "a", 0.9)
    with pytest.raises(QueueFull) as error:
        put(queue, "a", 0.9)
    assert error.value.retry_after == 1


def test_a_window_that_would_wait_alone_is_never_refused(clock: Clock) -> None:
    queue = FairQueue(10, clock=clock)
    put(queue, "a", 30)
    with pytest.raises(QueueFull):
        put(queue, "a", 1)
    assert len(queue.take(8)) == 1
    put(queue, "a", 30)


# --------------------------------------------------------------------------- callers


async def test_a_caller_gets_the_transcript_of_its_window(queue: FairQueue) -> None:
    mine = window()
    caller = asyncio.create_task(queue.recognize(mine, RecognitionOptions("a")))
    await asyncio.sleep(0)
    (ticket,) = queue.take(8)
    assert ticket.window is mine
    answer = transcript(ticket)
    queue.finish(ticket, answer)
    assert await caller is answer


async def test_a_caller_gets_the_error_of_its_window(queue: FairQueue) -> None:
    caller = asyncio.create_task(queue.recognize(window(), RecognitionOptions("a")))
    await asyncio.sleep(0)
    (ticket,) = queue.take(8)
    queue.finish(ticket, ValueError("no such thing"))
    with pytest.raises(ValueError, match="no such thing"):
        await caller


async def test_a_caller_who_departs_leaves_the_queue_and_makes_room(clock: Clock) -> None:
    queue = FairQueue(30, clock=clock)
    caller = asyncio.create_task(queue.recognize(window(), RecognitionOptions("a")))
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        put(queue, "b")
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert queue.audio_s == 0
    ticket = put(queue, "b")
    assert queue.take(8) == [ticket]


async def test_a_caller_who_departs_from_the_batch_is_told_to_the_engine(queue: FairQueue) -> None:
    caller = asyncio.create_task(queue.recognize(window(), RecognitionOptions("a", batch_size=1)))
    await asyncio.sleep(0)
    (ticket,) = queue.take(8)
    assert not ticket.departed
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ticket.departed
    queue.finish(ticket, transcript(ticket))
    # The place in the batch is free again, and the request is forgotten with its last window.
    waiting = put(queue, "a", batch_size=1)
    assert queue.take(8) == [waiting]


def test_a_departed_window_does_not_take_its_neighbours_along(queue: FairQueue) -> None:
    tickets = [put(queue, "a") for _ in range(3)]
    assert tickets[1].future.cancel()
    assert queue.take(8) == [tickets[0], tickets[2]]


# --------------------------------------------------------------------------- give back


def test_a_window_given_back_is_ahead_of_its_requests_others(queue: FairQueue) -> None:
    tickets = [put(queue, "a") for _ in range(3)]
    taken = queue.take(2)
    for ticket in reversed(taken):
        queue.give_back(ticket)
    assert queue.audio_s == 90
    assert queue.take(8) == tickets


def test_a_window_given_back_was_not_served(queue: FairQueue) -> None:
    fill(queue, "a", 3)
    fill(queue, "b", 3)
    (ticket,) = queue.take(1)
    queue.give_back(ticket)
    assert serve(queue, 4) == "abab"


def test_a_window_given_back_frees_its_place_in_the_batch_size(queue: FairQueue) -> None:
    ticket = put(queue, "a", batch_size=1)
    assert queue.take(8) == [ticket]
    queue.give_back(ticket)
    assert queue.take(8) == [ticket]


def test_a_window_whose_caller_departed_is_not_queued_again(queue: FairQueue) -> None:
    ticket = put(queue, "a")
    queue.take(1)
    ticket.future.cancel()
    queue.give_back(ticket)
    assert queue.take(8) == []
    assert queue.audio_s == 0


# --------------------------------------------------------------------------- closing


def test_closing_refuses_what_waits_and_what_comes(queue: FairQueue) -> None:
    running = put(queue, "a")
    queue.take(1)
    waiting = [put(queue, "a"), put(queue, "b")]
    queue.close(Unavailable("closed", 1))
    for ticket in waiting:
        with pytest.raises(Unavailable, match="closed"):
            ticket.future.result(0)
    with pytest.raises(Unavailable, match="closed"):
        put(queue, "c")
    assert queue.take(8) == []
    assert queue.audio_s == 0
    queue.finish(running, transcript(running))
    assert running.future.result(0).index == running.window.index


def test_nothing_can_be_taken_while_the_queue_closes(queue: FairQueue) -> None:
    tickets = [put(queue, "a") for _ in range(3)]
    taken: list[Ticket] = []
    tickets[0].future.add_done_callback(lambda _: taken.extend(queue.take(8)))
    queue.close(Unavailable("closed", 1))
    assert taken == []
    assert all(ticket.future.done() for ticket in tickets)


def test_closing_twice_and_after_departures_is_no_error(queue: FairQueue) -> None:
    ticket = put(queue, "a")
    ticket.future.cancel()
    queue.close(Unavailable("closed", 1))
    queue.close(Unavailable("closed again", 1))
    with pytest.raises(CancelledError):
        ticket.future.result(0)


def test_waiting_for_work_ends_where_there_is_some_or_the_queue_is_closed(
    queue: FairQueue,
) -> None:
    hour = 3600.0
    put(queue, "a")
    queue.wait(hour)
    queue.take(1)
    queue.close(Unavailable("closed", 1))
    queue.wait(hour)


# --------------------------------------------------------------------------- figures


def test_figures_are_reported_as_they_change(clock: Clock) -> None:
    queue = FairQueue(3600, clock)
    with measures.heard_by(Figures()) as figures:
        put(queue, "a")
        clock.now += 5
        put(queue, "a", 10)
        departed = put(queue, "a", 1)
        departed.future.cancel()
        clock.now += 2
        for ticket in queue.take(2):
            queue.finish(ticket, transcript(ticket, decoded_again=1))
    assert figures.of(measures.QUEUED_WINDOWS) == [1, 2, 3, 2, 1, 0]
    assert figures.of(measures.QUEUED_AUDIO) == [30, 40, 41, 40, 10, 0]
    assert figures.of(measures.WINDOW_WAIT) == [7, 2]
    assert figures.of(measures.RECOGNIZED_AUDIO) == [30, 10]
    assert figures.of(measures.DECODED_AGAIN) == [1, 1]


def test_failures_and_departures_are_not_counted_as_done(clock: Clock) -> None:
    queue = FairQueue(3600, clock)
    with measures.heard_by(Figures()) as figures:
        failing, leaving = put(queue, "a"), put(queue, "a")
        queue.take(2)
        queue.finish(failing, ValueError("it fails"))
        leaving.future.cancel()
        queue.finish(leaving, transcript(leaving))
    assert figures.of(measures.RECOGNIZED_AUDIO) == []


# --------------------------------------------------------------------------- what there is to do


def test_the_load_is_what_waits_and_what_is_under_way(clock: Clock) -> None:
    queue = FairQueue(3600, clock)
    put(queue, "a")
    put(queue, "b", 10, priority="bulk")
    departed = put(queue, "a", 5)
    bulk = [Part(10, 1)]
    assert queue.load() == Load([Part(35, 1)], bulk, 3, 0, None)
    departed.future.cancel()
    first, second = queue.take(2)
    assert queue.load() == Load([Part(30, 1)], bulk, 2, 0, None)
    queue.give_back(second)
    assert queue.load() == Load([Part(30, 1)], bulk, 2, 0, None)
    queue.finish(first, transcript(first))
    assert queue.load() == Load([], bulk, 1, 0.5, None)
    (again,) = queue.take(1)
    again.future.cancel()
    queue.give_back(again)
    assert queue.load() == Load([], [], 0, 0.5, None)


def test_a_recordings_part_here_is_its_share_of_what_is_in_flight(clock: Clock) -> None:
    queue = FairQueue(3600, clock)
    for in_flight in (1, 5, 8):
        queue.put(window(), RecognitionOptions("a", in_flight=in_flight))
    assert queue.load().hurried == [Part(90, 3 / 8)]
    queue.take(1)
    assert queue.load().hurried == [Part(90, 3 / 8)]


def test_the_rate_is_measured_while_windows_wait(clock: Clock) -> None:
    queue = FairQueue(36_000, clock)
    fill(queue, "a", 6)
    for ticket in queue.take(2):
        clock.now += 60  # the first of a batch is done when the whole batch is
        queue.finish(ticket, transcript(ticket))
    assert queue.load().rate == 0.5
    for _ in range(2):
        (ticket,) = queue.take(1)
        clock.now += 6
        queue.finish(ticket, transcript(ticket))
    rate = queue.load().rate
    serve(queue, 2)
    clock.now += 3600
    put(queue, "b", 1)
    serve(queue, 1)
    assert queue.load().rate == rate
    assert rate is not None
    assert rate > 0.5
