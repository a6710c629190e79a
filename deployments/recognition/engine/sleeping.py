"""An engine that only takes time, to measure what surrounds the real one."""

import math
import time

from deployments.recognition.engine.base import Engine
from deployments.recognition.fair_queue import FairQueue, Ticket
from interchange.transcript import Segment, WindowTranscript

PREFIX = "sleeping:"


class SleepingEngine(Engine):
    """Serves one window after another: `per_window` seconds, and `per_second` for each of audio."""

    def __init__(self, queue: FairQueue, *, per_window: float, per_second: float = 0.0) -> None:
        super().__init__(queue)
        self._per_window = per_window
        self._per_second = per_second

    @classmethod
    def named(cls, name: str, queue: FairQueue) -> "SleepingEngine":
        """`sleeping:0.5` or `sleeping:0.1,0.02`: seconds a window, and a second of audio.

        Raises ValueError for anything else.
        """
        try:
            times = [float(part) for part in name.removeprefix(PREFIX).split(",")]
            per_window, per_second = times if len(times) == 2 else (*times, 0.0)
            if not all(0 <= seconds < math.inf for seconds in times):
                raise ValueError(times)
        except ValueError as error:
            raise ValueError(
                f"`{name}` names no sleeping engine: write {PREFIX}SECONDS_A_WINDOW, or "
                f"{PREFIX}SECONDS_A_WINDOW,SECONDS_A_SECOND_OF_AUDIO."
            ) from error
        return cls(queue, per_window=per_window, per_second=per_second)

    def turn(self) -> bool:
        tickets = self.queue.take(1)
        for ticket in tickets:
            time.sleep(self._per_window + self._per_second * ticket.audio_s)
            self.queue.finish(ticket, _slept(ticket))
        return bool(tickets)


def _slept(ticket: Ticket) -> WindowTranscript:
    window, language = ticket.window, ticket.options.language or "en"
    segment = Segment(window.start, window.end, f" Window {window.index}.", language)
    return WindowTranscript(window.index, window.start, window.end, (segment,), language)
