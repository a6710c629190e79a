"""A client of a running service for work that outlives its request."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from serve_app.client.api import Client
from serve_app.client.failures import (
    Busy,
    ServiceFailure,
    Unreachable,
    check,
    failure_of,
    unreachable,
)
from serve_app.client.uploads import OnUpload, Source, file_name, opened

JOBS = "/v1/jobs"

JobObject = dict[str, Any]
"""The object of the API, as it arrived."""

_PAGE = 100
_RECONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class JobEvent:
    """`name` is `progress`, `segment`, or the status in which the job ended."""

    name: str
    data: dict[str, Any]
    id: str | None


class JobClient(Client):
    """Every method raises ServiceFailure; `timeout` is the longest silence, in seconds."""

    def __init__(self, server: str, api_key: str | None = None, *, timeout: float = 600) -> None:
        super().__init__(server, api_key, timeout=timeout)
        self._timeout = timeout

    def submit(
        self,
        recording: Source,
        options: Mapping[str, Any],
        *,
        key: str | None = None,
        on_upload: OnUpload = lambda sent: None,
    ) -> JobObject:
        """Hand in a file, or a URL that the service fetches. A repeated `key` makes no second
        job. Raises OSError for the file too."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        if isinstance(recording, str):
            body = {"url": recording, **options}
            return self._json("POST", JOBS, json=body, headers=headers)
        form = {name: _field(value) for name, value in options.items()}
        with opened(recording, on_upload) as file:
            files = {"file": (file_name(recording), file)}
            return self._json("POST", JOBS, data=form, files=files, headers=headers)

    def jobs(self, *, status: str | None = None, limit: int = 20) -> Iterator[JobObject]:
        """Up to `limit` jobs, newest first, page after page."""
        cursor: str | None = None
        while limit > 0:
            asked = {"status": status, "limit": min(limit, _PAGE), "cursor": cursor}
            params = {name: value for name, value in asked.items() if value is not None}
            page = self._json("GET", JOBS, params=params)
            yield from page["data"]
            limit -= len(page["data"])
            if (cursor := page["next_cursor"]) is None:
                return

    def job(self, job_id: str) -> JobObject:
        return self._json("GET", f"{JOBS}/{_segment(job_id)}")

    def transcript(self, job_id: str, format_name: str) -> str:
        return self._call(
            "GET", f"{JOBS}/{_segment(job_id)}/transcript", params={"format": format_name}
        ).text

    def cancel(self, job_id: str) -> JobObject:
        return self._json("POST", f"{JOBS}/{_segment(job_id)}/cancel")

    def delete(self, job_id: str) -> None:
        """Remove an ended job with its recording and its result."""
        self._call("DELETE", f"{JOBS}/{_segment(job_id)}")

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """All events from the first on; the last one's data is the ended job.

        A service that goes away in the middle, or is busy, is called again until it was silent
        for `timeout`, and goes on behind the last event that has come.
        """
        seen: str | None = None
        deadline: float | None = None
        while True:
            try:
                for event in self._events_after(job_id, seen):
                    seen = event.id or seen
                    deadline = time.monotonic() + self._timeout
                    yield event
                    if event.name not in {"progress", "segment"}:
                        return
                raise Unreachable(f"The service at {self._server} ended its answer in the middle.")
            except (Unreachable, Busy):
                # Where nothing ever came, there is nothing to go on with.
                if deadline is None or time.monotonic() >= deadline:
                    raise
                time.sleep(_RECONNECT_S)

    def _events_after(self, job_id: str, seen: str | None) -> Iterator[JobEvent]:
        headers = {"Last-Event-ID": seen} if seen is not None else {}
        path = f"{JOBS}/{_segment(job_id)}/events"
        with ExitStack() as stack:
            try:
                response = stack.enter_context(self._http.stream("GET", path, headers=headers))
                check(response)
                yield from _parse(response.iter_lines())
            except httpx2.TransportError as error:
                raise unreachable(self._server, error) from error


def failure_of_job(job: JobObject) -> ServiceFailure | None:
    """Why an ended job has no transcript; None where it has one."""
    if (error := job["error"]) is None:
        return None
    return failure_of(error["status"], error["message"])


def _segment(job_id: str) -> str:
    """An id as a part of a path, whatever a person typed."""
    return quote(job_id, safe="")


def _field(value: Any) -> str | list[str]:
    """An option as the field of a form."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return value if isinstance(value, str) else json.dumps(value)


def _parse(lines: Iterator[str]) -> Iterator[JobEvent]:
    """Server-sent events; comments and unknown fields are skipped, as the standard says."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                data = json.loads(fields["data"])
                yield JobEvent(fields.get("event", "message"), data, fields.get("id"))
            fields = {}
        else:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = (
                f"{fields[name]}\n{value}" if name == "data" and name in fields else value
            )
