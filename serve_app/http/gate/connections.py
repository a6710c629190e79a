"""Connections on which nothing is asked."""

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http import auto

HEADERS_S = 20.0
"""A request's line and headers have to be there within this and twice this."""

_Protocol: Any = auto.AutoHTTPProtocol


class Punctual(_Protocol):  # type: ignore[misc]
    """Uvicorn's protocol, which by itself waits for a request's headers for ever.

    It closes a connection whose next request was begun, or never begun, and has no end of its
    headers. One that rests between requests is uvicorn's own to close (`keep_alive_timeout_s`).
    """

    _looking: TimerHandle | None = None
    _waiting = False

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, error: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(error)

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(HEADERS_S, self._look)

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # it became a WebSocket, which has pings of its own
        idle = self.cycle is None or self.cycle.response_complete
        waiting = idle and self.timeout_keep_alive_task is None
        if waiting and self._waiting:
            self.transport.close()
            return
        self._waiting = waiting
        self._look_later()


def install() -> None:
    """Have uvicorn use it, in this process: it has no setting for this, and takes its protocol from
    this name when a server starts."""
    auto.AutoHTTPProtocol = Punctual
