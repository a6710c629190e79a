"""A job's progress and segments as server-sent events, read from the store.

Any replica can serve them, before, during and after the work; and a client that lost its
connection goes on behind the last event that it saw.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from interchange.errors import InvalidOption
from interchange.transcript import Segment
from serve_app.http.around.sse import message
from serve_app.http.jobs.answers import job_answer
from serve_app.jobs.job import Job
from serve_app.jobs.store.job_store import JobStore
from serve_app.transcription.formats.document import seconds

_LAST = "end"
_NUMBER = re.compile(r"[0-9]{1,9}")
_SLACK_S = 1e-3
"""Times of a window and of the progress over it are the same number, but for rounding."""


class Position(NamedTuple):
    """Behind which segment a stream stands: the number of its window, and its place in it."""

    window: int
    segment: int

    def __str__(self) -> str:
        return f"{self.window}.{self.segment}"

    @classmethod
    def parse(cls, event_id: str) -> "Position":
        """Raises InvalidOption for an id that this module did not make."""
        window, _, segment = event_id.partition(".")
        if not (_NUMBER.fullmatch(window) and _NUMBER.fullmatch(segment)):
            raise InvalidOption(
                f"The Last-Event-ID {event_id!r} is none of this stream; leave it out to begin "
                "at the start.",
                "Last-Event-ID",
            )
        return cls(int(window), int(segment))


def ended(event_id: str | None) -> bool:
    """Whether a client that saw this event saw the last one."""
    return event_id == _LAST


async def job_events(
    store: JobStore, job: Job, after: Position | None, poll_s: float
) -> AsyncIterator[str]:
    """The events from a position on; the last is named after the job's status.

    `poll_s` is how often the store is looked at, in seconds. Segments have no speaker: who
    spoke is known in the end, and stands in the transcript.
    """
    position = after or Position(-1, 0)
    told: dict[str, Any] | None = None
    while True:
        async for segment, position in _segments(store, job, position):  # noqa: B020
            yield message(_segment(segment), event="segment", event_id=str(position))
        progress = job_answer(job).progress.model_dump()
        if progress != told:
            told = progress
            yield message(progress, event="progress")
        if job.ended:
            yield message(job_answer(job).model_dump(), event=job.status, event_id=_LAST)
            return
        await asyncio.sleep(poll_s)
        job = await store.get(job.id)


async def _segments(
    store: JobStore, job: Job, after: Position
) -> AsyncIterator[tuple[Segment, Position]]:
    """The segments behind a position that will not change any more.

    A window is kept as soon as it is recognized, and can be decoded again in the language of
    those before it; it is settled once the progress has passed it.
    """
    first = max(after.window, 0)
    while windows := await store.windows(job.id, first):
        for window in windows:
            if not job.ended and window.end > job.recognized + _SLACK_S:
                return
            for number, segment in enumerate(window.segments):
                if (position := Position(window.index, number)) > after:
                    yield segment, position
        first = windows[-1].index + 1


def _segment(segment: Segment) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "start": seconds(segment.start),
        "end": seconds(segment.end),
        "text": segment.text,
        "language": segment.language,
    }
    if segment.words:
        answer["words"] = [
            {"word": word.text.strip(), "start": seconds(word.start), "end": seconds(word.end)}
            for word in segment.words
        ]
    return answer
