"""Who is let in: simulated on a clock of its own."""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from interchange.errors import QueueFull
from serve_app.transcription.admission import Admission, Place
from serve_app.transcription.events import Progress


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Graph:
    """Works recordings off one after the other, `rate` seconds of audio a second, for clients that
    come again at once when they were served, and when they are told where they were not."""

    rate: float
    admission: Admission
    clock: Clock
    waits: list[float] = field(default_factory=list)
    refusals: int = 0

    def serve(self, clips: list[float], clients: int, until: float, keys: int = 0) -> None:
        coming = [(0.0, n) for n in range(clients)]
        queue: deque[tuple[Place, float, float, int]] = deque()
        free_at = 0.0
        while coming or queue:
            due = coming[0][0] if coming else float("inf")
            if queue and max(free_at, queue[0][2]) <= due:
                place, seconds, entered, client = queue.popleft()
                began = max(free_at, entered)
                free_at = self.clock.now = began + seconds / self.rate
                self.waits.append(began - entered)
                place.heard(Progress(seconds, seconds, seconds), speakers=False)
                place.recognized(seconds)
                place.finished()
                place.leave()
                heapq.heappush(coming, (free_at, client))
                continue
            self.clock.now, client = heapq.heappop(coming)
            if self.clock.now > until:
                continue
            seconds = random.Random(client + len(self.waits)).choice(clips)
            try:
                place = self.admission.enter(seconds, f"key {client % keys}" if keys else "")
            except QueueFull as full:
                self.refusals += 1
                heapq.heappush(coming, (self.clock.now + full.retry_after, client))
            else:
                queue.append((place, seconds, self.clock.now, client))

    @property
    def p95(self) -> float:
        return sorted(self.waits)[int(len(self.waits) * 0.95)]


def graph(rate: float, expected: float = 10) -> Graph:
    clock = Clock()
    return Graph(rate, Admission(30, expected, clock, always_s=200), clock)


def filled(admission: Admission, seconds: float, key: str = "") -> tuple[list[Place], int]:
    """Let recordings in until one is refused; also returns when that may come again."""
    places: list[Place] = []
    while True:
        try:
            places.append(admission.enter(seconds, key))
        except QueueFull as full:
            return places, full.retry_after


CLIPS = [2.0, 5.0, 8.0, 10.0, 20.0]


@pytest.mark.parametrize("rate", [8.0, 15.0])
def test_under_ten_times_the_load_nobody_waits_long_and_the_graph_is_never_idle(
    rate: float,
) -> None:
    busy = graph(rate)
    busy.serve(CLIPS, clients=int(rate * 12), until=120)
    assert busy.refusals > 0
    assert busy.p95 <= 30
    assert busy.admission.rate == pytest.approx(rate, rel=0.3)
    # What was let in would have kept the graph at work all the time.
    assert sum(busy.waits) / len(busy.waits) > 3


@pytest.mark.parametrize("rate", [2.0, 8.0, 25.0])
def test_sixteen_clients_with_a_clip_each_are_never_refused(rate: float) -> None:
    some = graph(rate)
    some.serve(CLIPS, clients=16, until=120)
    assert some.refusals == 0


def test_a_recording_alone_is_let_in_however_long() -> None:
    idle = Admission(30, 10)
    idle.enter(12 * 3600).leave()
    idle.enter(12 * 3600)


def test_a_short_clip_goes_beside_a_long_recording_and_a_second_long_one_too() -> None:
    admission = Admission(30, 10)
    admission.enter(3600)
    admission.enter(5)
    admission.enter(3600)
    assert filled(admission, 3600)[1] > 30


def test_retry_after_is_when_there_is_room() -> None:
    clock = Clock()
    admission = Admission(30, 10, clock)
    places, later = filled(admission, 30)
    clock.now += later
    for place in places[: round(later * 10 / 30) + 1]:
        place.finished()
        place.leave()
    admission.enter(30)


def test_decoding_corrects_the_estimate() -> None:
    admission = Admission(30, 10)
    place = admission.enter(1000)
    place.heard(Progress(5, 0, 20), speakers=False)
    assert admission.waiting_s == 20
    place.heard(Progress(20, 10, 20), speakers=True)
    assert admission.waiting_s == 15  # diarization is to come
    longer = admission.enter(1)
    longer.heard(Progress(300, 0, None), speakers=False)
    assert admission.waiting_s == 315
    longer.leave()
    longer.leave()
    assert admission.waiting_s == 15


def test_a_key_that_takes_much_leaves_room_for_others() -> None:
    admission = Admission(30, 10)
    filled(admission, 10, "greedy")
    for _ in range(5):
        admission.enter(10, "modest")


def test_a_graph_that_stood_still_is_found_fast_again() -> None:
    clock = Clock()
    admission = Admission(30, 10, clock)
    stuck = [admission.enter(30) for _ in range(8)]
    clock.now += 3600
    for place in stuck:
        place.recognized(30)
        place.finished()
        place.leave()
    assert admission.rate < 10
    for _ in range(3):
        place = admission.enter(8)
        clock.now += 0.5
        place.recognized(8)
        place.finished()
        place.leave()
    assert admission.rate >= 16


def test_hours_of_silence_do_not_make_the_graph_look_fast() -> None:
    clock = Clock()
    admission = Admission(30, 10, clock)
    silent = [admission.enter(40_000) for _ in range(2)]
    clock.now += 12
    for place in silent:
        place.heard(Progress(40_000, 40_000, 40_000), speakers=False)
        place.recognized(20)
        place.finished()
        place.leave()
    assert admission.rate <= 10


def test_those_who_are_refused_are_told_to_come_one_after_the_other() -> None:
    clock = Clock()
    admission = Admission(30, 10, clock)
    _, first = filled(admission, 10)
    told = [filled(admission, 10)[1] for _ in range(20)]
    assert told == sorted(told)
    assert told[-1] >= first + 19  # a second of work each
    clock.now += 600
    assert filled(admission, 10)[1] <= first + 1
    assert max(filled(admission, 10)[1] for _ in range(1000)) <= 301
