"""Who is let in, by the seconds of audio that wait already.

Recognition serves the recordings that wait in turns (`deployments/recognition/fair_queue.py`): one
that is short goes ahead of one that is long. So a new recording waits for as much of each other as
it is long itself, and no more. How fast audio is worked off is measured while there is enough of
it; so each process that lets recordings in reckons with what it gets of a graph that others share.
Only windows count as worked off: hours of silence are done in a moment, and say nothing about what
comes next.
"""

import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from contextvars import ContextVar

from interchange import measures
from interchange.errors import NoRoom, RecognitionFailed
from interchange.pace import Pace
from interchange.transcript import Transcript
from serve_app.transcription.events import Event, Progress, Resume, TranscriptReady, WindowDone
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import ResumableTranscriber
from serve_app.transcription.usage import Usage

UNKNOWN_S = 10.0
"""A recording about which nothing is known yet."""

_TURN_S = 30.0
"""The least that another recording gets while it has its turn: a window."""

_SATURATED_S = 60.0
"""From so much waiting audio on the graph is taken to work as fast as it can."""

_MARGIN = 0.8
"""Of the longest wait, what is reckoned with: rates differ from minute to minute."""

_SPEAKERS_SHARE = 0.5
"""What recognition is of the work where speakers are told apart as well."""

_HEADROOM = 2 / 3
"""Of the longest wait, what a key may fill that has more than its share: the rest is for others."""

_LATEST_S = 300.0
"""Nobody is told to come later for others' sake: they may have gone elsewhere."""


class Place:
    """A recording that was let in. `key` is the name of the key it came with."""

    def __init__(self, admission: "Admission", key: str, seconds: float) -> None:
        self.key = key
        self._admission = admission
        self._total = seconds
        self._done = 0.0
        self._windows = 0.0
        self._speakers = False
        self._since = admission.clock()

    @property
    def remaining(self) -> float:
        """Seconds of audio still to be worked off."""
        return max(self._total - self._done, 0.0)

    @property
    def worked_off(self) -> float:
        """Seconds of audio that are."""
        return self._done

    def heard(self, progress: Progress, *, speakers: bool) -> None:
        """Decoding has corrected the estimate, and recognition has come this far."""
        known = progress.total if progress.total is not None else progress.loaded
        self._total = known if progress.total is not None else max(self._total, known)
        self._done = progress.recognized * (_SPEAKERS_SHARE if speakers else 1)
        self._speakers = speakers

    def recognized(self, seconds: float) -> None:
        """A window of so many seconds was."""
        self._windows += seconds
        self._admission._worked_off(seconds * (_SPEAKERS_SHARE if self._speakers else 1))

    def finished(self) -> None:
        """All of it is worked off: at least as fast as this went, whatever else there was."""
        self._done = self._total
        if self._speakers:
            self._admission._worked_off(self._windows * (1 - _SPEAKERS_SHARE))
        took = self._admission.clock() - self._since
        if took > 0:
            self._admission.rate = max(self._admission.rate, self._windows / took)

    def leave(self) -> None:
        """It waits no longer, whatever became of it. A second time does nothing."""
        self._admission._left(self)


class Admission:
    """`max_wait_s` is how long what is let in may wait for others, in seconds; a long recording may
    as long as it takes itself. `rate`: seconds of audio a second, until it was measured. While no
    more than `always_s` of audio is ahead of a recording, it is let in however slow the graph is.

    A recording alone is always let in. A key that holds more than its share of what waits finds
    less room than others.
    """

    def __init__(
        self,
        max_wait_s: float,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        always_s: float = 0.0,
    ) -> None:
        self._pace = Pace(clock)
        self._expected = rate
        self._always_s = always_s
        self._max_wait_s = max_wait_s * _MARGIN
        self.clock = clock
        self.usage = Usage(clock)
        self._places: set[Place] = set()
        self._told_until = -math.inf

    @property
    def rate(self) -> float:
        """Seconds of audio that are worked off in a second, as measured or as expected."""
        return self._pace.rate or self._expected

    @rate.setter
    def rate(self, rate: float) -> None:
        self._pace.rate = rate

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that were let in and are not worked off."""
        return sum(place.remaining for place in self._places)

    def enter(self, seconds: float, key: str = "") -> Place:
        """Let a recording in. Raises NoRoom, with the time after which there will be some."""
        self._look_at_the_clock()
        ahead = [min(place.remaining, max(seconds, _TURN_S)) for place in self._places]
        wait = sum(ahead) / self.rate
        allowed = self._room(key) + seconds / self.rate
        if sum(ahead) > self._always_s and wait > allowed:
            later = self._later(wait - allowed, seconds / self.rate)
            raise NoRoom(
                f"A recording would wait for about {wait:.0f} s here; send it again in {later} s.",
                later,
                seconds / self.rate,
            )
        place = Place(self, key, seconds)
        self._places.add(place)
        self._look_at_the_clock()
        self._measure()
        return place

    def _later(self, room_s: float, takes_s: float) -> int:
        """When to come again, in seconds: there is room in `room_s`, and others were told so."""
        now = self.clock()
        told = max(self._told_until, now + room_s)
        self._told_until = min(told + takes_s, now + _LATEST_S)
        return max(1, math.ceil(told - now))

    def _room(self, key: str) -> float:
        keys = {place.key for place in self._places} | {key}
        if not key or not self._places:
            return self._max_wait_s
        mine = sum(place.remaining for place in self._places if place.key == key)
        too_much = mine > self.waiting_s / (len(keys) + 1)
        return self._max_wait_s * (_HEADROOM if too_much else 1)

    # ------------------------------------------------------------------- measuring

    def _look_at_the_clock(self) -> None:
        self._pace.enough(self.waiting_s >= _SATURATED_S)

    def _worked_off(self, seconds: float) -> None:
        self._look_at_the_clock()
        self._pace.done(seconds)

    def _left(self, place: Place) -> None:
        if place not in self._places:
            return
        self._look_at_the_clock()
        self._places.remove(place)
        self.usage.add(place.key, place.worked_off)
        self._look_at_the_clock()
        self._measure()

    def _measure(self) -> None:
        measures.WAITING_AUDIO.record(self.waiting_s)
        measures.AUDIO_RATE.record(self.rate)


_PLACE: ContextVar[Place | None] = ContextVar("place", default=None)


def take(place: Place) -> None:
    """What this task, or one that it begins, transcribes from now on has this place."""
    _PLACE.set(place)


class AdmittedTranscriber:
    """A transcriber that tells how far each recording has come to the place it has, and lets none
    begin without one."""

    def __init__(self, transcriber: ResumableTranscriber, admission: Admission) -> None:
        self._transcriber = transcriber
        self._admission = admission

    async def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]:
        """`Transcriber.transcribe`. Raises NoRoom, too, for a request without a place."""
        place = _PLACE.get() or self._admission.enter(UNKNOWN_S)
        try:
            async with aclosing(self._transcriber.transcribe(request, resume)) as events:
                async for event in events:
                    match event:
                        case Progress():
                            place.heard(event, speakers=request.speakers)
                        case WindowDone(window):
                            place.recognized(window.end - window.start)
                        case TranscriptReady():
                            place.finished()
                    yield event
        finally:
            place.leave()

    async def run(self, request: TranscriptionRequest) -> Transcript:
        """`Transcriber.run`."""
        async with aclosing(self.transcribe(request)) as events:
            async for event in events:
                if isinstance(event, TranscriptReady):
                    return event.transcript
        raise RecognitionFailed("The transcription ended without a result; try again.")
