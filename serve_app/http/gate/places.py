"""How many requests this process works on at once, and for how long each."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from interchange import budget
from serve_app.http.around.errors import error_response

_OF_THEIR_OWN = re.compile(r"/health|/ready|/cancel/.*|/v1/jobs/[^/]*/cancel", re.DOTALL)
"""Paths that are answered however many others wait: they see to it that fewer do."""

_RETRY_AFTER_S = 5


class Places:
    """Answers 429 where `limit` requests are at work. It has to stay below what Serve lets into
    the process, so that checks of health and cancelling find a place. What a request asks of the
    graph has to be done `seconds` after it came; 0: whenever it is."""

    def __init__(self, app: ASGIApp, limit: int, seconds: float = 0) -> None:
        self.app = app
        self.limit = limit
        self.seconds = seconds
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or _OF_THEIR_OWN.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        if self._taken >= self.limit:
            await self._refuse(scope, receive, send)
            return
        self._taken += 1
        if scope["type"] == "http":  # a live session has a length of its own
            budget.begin(self.seconds)
        try:
            await self.app(scope, receive, send)
        finally:
            self._taken -= 1

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        sentence = f"{self.limit} requests are at work here already; try again later."
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": sentence})
            return
        headers = {"Retry-After": str(_RETRY_AFTER_S)}
        await error_response(scope, 429, sentence, headers=headers)(scope, receive, send)
