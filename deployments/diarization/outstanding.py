"""What a diarizer has on its hands: stretches that wait for it, and the one in work."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from deployments.autoscaling import Load, Part
from interchange.pace import Pace
from interchange.stages import AnalysisOptions, Priority

T = TypeVar("T")

_PATIENCE_S = 60.0
"""So much later than somebody's is a job's stretch due that came at the same time."""
_APART_S = 30.0
"""So far apart are stretches of one recording due that came at once: a clip that comes now does not
wait for all that is asked for of ten hours."""


class Outstanding:
    """Stretches in the order in which they are due."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="diarization")
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, Future[Any], Callable[[], Any]]] = []
        self._count = itertools.count()
        self._left: list[tuple[float, AnalysisOptions]] = []
        self._pace = Pace(clock)
        self._in_work = False

    @contextmanager
    def stretch(
        self, seconds: float, options: AnalysisOptions, work: Callable[[], T]
    ) -> Iterator[Future[T]]:
        """The result of `work` on so many seconds of a recording, which is done in a thread for one
        at a time; while the block lasts it counts as outstanding.
        """
        this = (seconds, options)
        due = self._clock() + (options.in_flight - 1) * _APART_S
        if options.priority == "bulk":
            due += _PATIENCE_S
        result: Future[T] = Future()
        self._left.append(this)
        with self._lock:
            heapq.heappush(self._waiting, (due, next(self._count), result, work))
        # A place in the thread for each: whose it is is decided when its time comes.
        self._thread.submit(self._next)
        try:
            yield result
        finally:
            result.cancel()
            self._left.remove(this)

    def _next(self) -> None:
        with self._lock:
            _, _, result, work = heapq.heappop(self._waiting)
        if not result.set_running_or_notify_cancel():
            return
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
            result.set_exception(error)

    @contextmanager
    def work(self, seconds: float) -> Iterator[None]:
        """One stretch is worked on while the block lasts."""
        self._in_work = True
        self._pace.enough(True)
        try:
            yield
            self._pace.done(seconds)
        finally:
            self._pace.enough(False)
            self._in_work = False

    def load(self) -> Load:
        rate = self._pace.rate
        return Load(
            hurried=self._parts("interactive"),
            patient=self._parts("bulk"),
            pieces=len(self._left),
            # Stretches are few and long: what counts is whether one is in work.
            leaving=(rate or 0.0) if self._in_work else 0.0,
            rate=rate,
        )

    def _parts(self, priority: Priority) -> list[Part]:
        """One for each recording: as many replicas as the share of its stretches that is here."""
        recordings: dict[str, list[tuple[float, int]]] = {}
        for seconds, options in self._left:
            if options.priority == priority:
                here = recordings.setdefault(options.request_id, [])
                here.append((seconds, options.in_flight))
        return [
            Part(sum(seconds for seconds, _ in here), min(len(here) / here[-1][1], 1.0))
            for here in recordings.values()
        ]
