"""What can go wrong between the command line and a service, and the exit codes that tell it.

ServiceFailure
├── Refused         the request or its recording is at fault
│   └── KeyRefused  the key is: no other request would do better
├── Busy            the service asks to be called again later
├── Broken          the service failed
└── Unreachable     there was no service, or no longer one
    └── NoService   nobody listens there at all
"""

from collections.abc import Mapping
from typing import Any

import httpx2

_RETRY_S = 5.0


class ServiceFailure(Exception):
    """`message` is the service's own sentence where it sent one."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(ServiceFailure):
    exit_code = 3


class KeyRefused(Refused):
    pass


class Busy(ServiceFailure):
    """`retry_after` is when to call again, in seconds."""

    exit_code = 6

    def __init__(self, message: str, retry_after: float = _RETRY_S) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Broken(ServiceFailure):
    exit_code = 4


class Unreachable(ServiceFailure):
    exit_code = 5


class NoService(Unreachable):
    pass


def check(response: httpx2.Response) -> None:
    """Raises the ServiceFailure that a response stands for, if it is one."""
    if response.is_error or response.is_redirect:
        response.read()
        wait = response.headers.get("retry-after", "")
        raise failure_of(
            response.status_code,
            _sentence(response),
            float(wait) if wait.isdecimal() else _RETRY_S,
        )


def failure_of(status: int, message: str, retry_after: float = _RETRY_S) -> ServiceFailure:
    """The exception that stands for an HTTP status."""
    if status in (429, 503):
        return Busy(message, retry_after)
    if status == 401:
        return KeyRefused(message)
    return Broken(message) if status >= 500 else Refused(message)


def failure_in_stream(error: Mapping[str, Any]) -> ServiceFailure:
    """The exception that stands for an error that came as an event."""
    message = str(error.get("message"))
    match error.get("type"):
        case "rate_limit_error":
            return Busy(message)
        case "server_error":
            return Broken(message)
        case _:
            return Refused(message)


def unreachable(server: str, error: httpx2.TransportError) -> Unreachable:
    """The exception that stands for a connection that failed."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return NoService(f"No service answers at {server} ({error}); is it running?")
    if isinstance(error, httpx2.TimeoutException):
        return Unreachable(f"The service at {server} was silent for too long.")
    return Unreachable(f"The connection to {server} broke ({error}).")


def _sentence(response: httpx2.Response) -> str:
    """The sentence of an error, whichever dialect, or what a stranger answered."""
    try:
        body = response.json()
    except ValueError:
        return f"HTTP {response.status_code}: {response.text[:200].strip() or 'no explanation'}"
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return str(body["error"].get("message"))
    return f"HTTP {response.status_code}: {body}"
