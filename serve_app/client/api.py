"""A client of a running service: one recording up, its events down.

ServiceFailure
├── Refused      the request or its recording is at fault
├── Busy         the service asks to be called again later
├── Broken       the service failed
└── Unreachable  there was no service, or no longer one
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx2

OnUpload = Callable[[int], object]
"""Called with the bytes of the file that were read so far."""


class ServiceFailure(Exception):
    """`message` is the service's own sentence where it sent one."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(ServiceFailure):
    pass


class Busy(ServiceFailure):
    pass


class Broken(ServiceFailure):
    pass


class Unreachable(ServiceFailure):
    pass


class Client:
    """Talks to the service at `server`. `timeout` is its longest silence, in seconds."""

    def __init__(self, server: str, api_key: str | None = None, *, timeout: float = 600) -> None:
        headers = {"x-admin-api-key": api_key} if api_key is not None else {}
        self._server = server.rstrip("/")
        self._http = httpx2.Client(
            base_url=self._server, headers=headers, timeout=httpx2.Timeout(timeout, connect=10)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def transcribe(
        self,
        recording: Path | str,
        *,
        translate: bool = False,
        options: Mapping[str, str | list[str]],
        on_upload: OnUpload = lambda sent: None,
    ) -> Iterator[dict[str, Any]]:
        """The service's events for a file, or for a URL that the service fetches.

        The file is read as it is sent. The last event has the type `transcript.text.done` and
        the whole answer as `output`. Raises ServiceFailure, and OSError for the file.
        """
        data = {"model": "whisper-1", "stream": "true", "progress": "true", **options}
        route = "/v1/audio/translations" if translate else "/v1/audio/transcriptions"
        with ExitStack() as stack:
            files = None
            if isinstance(recording, Path):
                file = stack.enter_context(WatchedFile(recording, on_upload))
                files = {"file": (recording.name, file)}
            else:
                data["url"] = recording
            try:
                response = stack.enter_context(
                    self._http.stream("POST", route, data=data, files=files)
                )
                yield from self._events(response)
            except httpx2.TransportError as error:
                raise Unreachable(self._why(error)) from error

    def _events(self, response: httpx2.Response) -> Iterator[dict[str, Any]]:
        if response.is_error or response.is_redirect:
            response.read()
            raise failure_of(response.status_code, sentence_of(response))
        for line in response.iter_lines():
            if line == "data: [DONE]":
                return
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                if "error" in event:
                    raise _failure_in_stream(event["error"])
                yield event
        raise Unreachable(f"The service at {self._server} ended its answer in the middle.")

    def _why(self, error: httpx2.TransportError) -> str:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return f"No service answers at {self._server} ({error}); is it running?"
        if isinstance(error, httpx2.TimeoutException):
            return f"The service at {self._server} was silent for too long."
        return f"The connection to {self._server} broke ({error})."


class WatchedFile(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, on_read: OnUpload) -> None:
        super().__init__(path)
        self._on_read = on_read

    def read(self, size: int | None = -1, /) -> Any:
        data = super().read(size)
        self._on_read(self.tell())
        return data


def sentence_of(response: httpx2.Response) -> str:
    """The sentence of an error, whichever dialect, or what a stranger answered."""
    try:
        body = response.json()
    except ValueError:
        return f"HTTP {response.status_code}: {response.text[:200].strip() or 'no explanation'}"
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return str(body["error"].get("message"))
    return f"HTTP {response.status_code}: {body}"


def failure_of(status: int, message: str) -> ServiceFailure:
    """The exception that stands for an HTTP status."""
    if status in (429, 503):
        return Busy(message)
    return Broken(message) if status >= 500 else Refused(message)


def _failure_in_stream(error: Mapping[str, Any]) -> ServiceFailure:
    message = str(error.get("message"))
    match error.get("type"):
        case "rate_limit_error":
            return Busy(message)
        case "server_error":
            return Broken(message)
        case _:
            return Refused(message)
