"""Recognizers that only take time: their fair queues are the real ones, their clock is not.

As in Serve, a window goes to the less busy of two replicas, and stays there; when all have as many
as they take, it waits for the first that has room.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import numpy as np

from benchmarks.simulation.load import Arrival
from benchmarks.simulation.policies import LOOK_BACK_S, Policy
from deployments.autoscaling import Demand
from deployments.recognition.fair_queue import FairQueue, Ticket
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window
from interchange.transcript import WindowTranscript

_SILENCE = np.broadcast_to(np.int16(0), 30 * SAMPLE_RATE)
_NOTHING = WindowTranscript(0, 0.0, 0.0, (), "en")
_TICK_S = 10.0
"""How often Serve's replicas and callers report, by default."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What the sleeping engine takes a window and a second of its audio, and what a replica takes
    to start. A replica has so many `places`, and a recording so many windows `in_flight`."""

    per_window: float
    per_second: float
    cold_start: float
    places: int = 512
    in_flight: int = 128

    def of(self, seconds: float) -> float:
        return self.per_window + self.per_second * seconds


@dataclass(slots=True)
class Outcome:
    """`waits`: of each recording that somebody waits for, how much later it was done than by a
    replica of its own, in seconds."""

    waits: list[float] = field(default_factory=list)
    replica_s: float = 0.0
    most: int = 0
    changes: int = 0

    def wait(self, share: float) -> float:
        """The quantile of the waits."""
        return sorted(self.waits)[int(share * len(self.waits))]


@dataclass(eq=False, slots=True)
class _Recording:
    id: str
    arrival: Arrival
    to_come: Iterator[float]
    left: int


@dataclass(eq=False, slots=True)
class _Replica:
    queue: FairQueue
    since: float
    leaving: bool = False
    ongoing: int = 0
    busy: bool = False


def _ongoing(replica: _Replica) -> int:
    return replica.ongoing


class Simulation:
    def __init__(
        self, policy: Policy, costs: Costs, *, wait_s: float, bulk_wait_s: float, seed: int = 1
    ) -> None:
        self._policy, self._costs = policy, costs
        self._waits = wait_s, bulk_wait_s
        self._dice = random.Random(seed)
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._replicas: list[_Replica] = []
        self._up: list[_Replica] = []
        self._waiting: deque[tuple[_Recording, float]] = deque()
        self._owners: dict[Ticket, _Recording] = {}
        self._open = 0
        self._counted: deque[tuple[float, float]] = deque()
        self._outcome = Outcome()

    def run(self, arrivals: Sequence[Arrival], until: float) -> Outcome:
        """Until the time is over and everything is done."""
        for number, arrival in enumerate(arrivals):
            windows = arrival.windows
            recording = _Recording(str(number), arrival, iter(windows), len(windows))
            self._at(arrival.at, partial(self._begin, recording))
        self._scale_to(self._policy.config.min_replicas, at_once=True)
        self._at(_TICK_S, lambda: self._tick(until))
        while self._events:
            self._now, _, event = heapq.heappop(self._events)
            event()
        for replica in self._replicas:
            self._outcome.replica_s += self._now - replica.since
        return self._outcome

    def _at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), event))

    # ------------------------------------------------------------------ windows

    def _begin(self, recording: _Recording) -> None:
        self._open += 1
        for _ in range(min(self._costs.in_flight, recording.left)):
            self._send(recording, next(recording.to_come))

    def _send(self, recording: _Recording, seconds: float) -> None:
        self._waiting.append((recording, seconds))
        if not self._replicas:
            self._decide()  # a caller tells Serve at once of a request that nobody can take
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and (replica := self._least_busy()) is not None:
            recording, seconds = self._waiting.popleft()
            options = RecognitionOptions(
                recording.id,
                priority=recording.arrival.priority,
                in_flight=min(self._costs.in_flight, recording.left),
            )
            window = Window(0, 0, _SILENCE[: round(seconds * SAMPLE_RATE)], ())
            self._owners[replica.queue.put(window, options)] = recording
            replica.ongoing += 1
            self._work(replica)

    def _least_busy(self) -> _Replica | None:
        """Of two by chance; where both are full, of all."""
        if not (up := self._up):
            return None
        one, other = (up[int(self._dice.random() * len(up))] for _ in range(2))
        best = min(one, other, key=_ongoing)
        if best.ongoing >= self._costs.places:
            best = min(up, key=_ongoing)
        return best if best.ongoing < self._costs.places else None

    def _work(self, replica: _Replica) -> None:
        if not replica.busy and (tickets := replica.queue.take(1)):
            replica.busy = True
            (ticket,) = tickets
            done = self._now + self._costs.of(ticket.audio_s)
            self._at(done, lambda: self._done(replica, ticket))

    def _done(self, replica: _Replica, ticket: Ticket) -> None:
        replica.queue.finish(ticket, _NOTHING)
        replica.ongoing -= 1
        replica.busy = False
        recording = self._owners.pop(ticket)
        recording.left -= 1
        if (seconds := next(recording.to_come, None)) is not None:
            self._send(recording, seconds)
        elif recording.left == 0:
            self._finish(recording)
        self._work(replica)
        self._hand_out()
        if replica.leaving and not replica.ongoing:
            self._remove(replica)

    def _finish(self, recording: _Recording) -> None:
        self._open -= 1
        arrival = recording.arrival
        if arrival.priority == "interactive":
            alone = sum(self._costs.of(seconds) for seconds in arrival.windows)
            self._outcome.waits.append(max(0.0, self._now - arrival.at - alone))

    # ----------------------------------------------------------------- replicas

    def _tick(self, until: float) -> None:
        self._decide()
        if self._now < until or self._open:
            self._at(self._now + _TICK_S, lambda: self._tick(until))

    def _decide(self) -> None:
        staying = [each for each in self._replicas if not each.leaving]
        up = self._up
        queued = len(self._waiting)
        self._counted.append((self._now, sum(each.ongoing for each in up) + queued))
        while self._counted[0][0] <= self._now - LOOK_BACK_S:
            self._counted.popleft()
        requests = sum(number for _, number in self._counted) / len(self._counted)
        if not staying:
            requests = max(requests, queued)
        target = self._policy.target(
            self._now,
            running=len(up),
            target=len(staying),
            requests=requests,
            queued=queued,
            demands=[Demand.of(each.queue.load(), *self._waits) for each in up],
        )
        self._scale_to(target)

    def _scale_to(self, target: int, *, at_once: bool = False) -> None:
        staying = [each for each in self._replicas if not each.leaving]
        self._outcome.changes += target != len(staying) and not at_once
        self._outcome.most = max(self._outcome.most, target)
        for _ in range(target - len(staying)):
            replica = _Replica(FairQueue(1e12, lambda: self._now), self._now)
            self._replicas.append(replica)
            ready = self._now + (0.0 if at_once else self._costs.cold_start)
            self._at(ready, partial(self._ready, replica))
        # Those that are not up yet go first, then the newest.
        for replica in sorted(staying, key=lambda each: (each in self._up, -each.since))[
            : max(0, len(staying) - target)
        ]:
            replica.leaving = True
            if replica in self._up:
                self._up.remove(replica)
            if not replica.ongoing:
                self._remove(replica)

    def _ready(self, replica: _Replica) -> None:
        if not replica.leaving:
            self._up.append(replica)
            self._hand_out()

    def _remove(self, replica: _Replica) -> None:
        self._replicas.remove(replica)
        self._outcome.replica_s += self._now - replica.since
