"""What a key may have in a day and in the queue, where the file of keys says so."""

from fastapi import Depends
from starlette.requests import HTTPConnection

from interchange.errors import QuotaExceeded
from serve_app.http.gate.auth import caller
from serve_app.http.services import Given
from serve_app.jobs.frontend import ClientJobs

_HOUR_S = 3600
_JOBS_LATER_S = 60


async def check_hours(services: Given, connection: HTTPConnection) -> None:
    """Raises QuotaExceeded where the key has had as much audio as it may in a day."""
    who = caller(connection.scope)
    if who.hours_a_day is None:
        return
    used = services.admission.usage.seconds(who.name)
    used += (await services.jobs.of(who.name).store.usage()).seconds
    if used >= who.hours_a_day * _HOUR_S:
        raise QuotaExceeded(
            f"This key has had {used / _HOUR_S:.1f} h of audio transcribed within a day, and may "
            f"have {who.hours_a_day:g}; try again later, or ask the operator for more.",
            _HOUR_S,
        )


WithinHours = Depends(check_hours)
"""For routes that transcribe: before the recording is read."""


async def check_waiting(jobs: ClientJobs, connection: HTTPConnection) -> None:
    """Raises QuotaExceeded where the key has as many jobs waiting as it may."""
    allowed = caller(connection.scope).waiting_jobs
    if allowed is None:
        return
    waiting = (await jobs.store.usage()).waiting
    if waiting >= allowed:
        raise QuotaExceeded(
            f"{waiting} jobs of this key have not ended, and it may have {allowed}; hand in more "
            "when some have.",
            _JOBS_LATER_S,
        )
