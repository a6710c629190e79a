"""What stands around Serve's HTTP proxy, before and behind the app's own process.

Serve calls `middlewares` where `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names it:
`rayscribe serve` and the images set that variable.
"""

from collections import Counter
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.http.around.errors import ROOM_HEADER, error_response
from serve_app.http.around.measured import surface
from serve_app.http.around.request_id import WELL_FORMED
from serve_app.http.gate import connections
from serve_app.http.gate.bounds import declared_length
from serve_app.http.gate.bursts import Bursts
from serve_app.http.gate.crossing import EXTENSION, READS, PacedBody
from serve_app.http.gate.door import Door, Kind, Pass
from serve_app.http.gate.headers import ALWAYS

CALLBACK = "serve_app.http.gate.proxy:middlewares"

_HEADERS = (
    "x-request-timeout-seconds",
    "x-request-disconnect-disabled",
    "serve-multiplexed-model-id",
    "serve_multiplexed_model_id",
    "x-session-id",
    "x_session_id",
)
"""By which a client would override the proxy's time limit, have its work go on after it left, or
say which replica works for it: all are for the operator to say."""

_RETRY_AFTER_S = "5"

_SENTENCES = {
    404: "Not Found",
    408: "The request took too long.",
    429: "Too many requests are at work; try again later.",
    503: "The service cannot answer now: the process that was to answer has ended, or is being "
    "started. Send the request again.",
}


_CODES = {429: "queue_full", 503: "unavailable"}

_BEGINS_S = 1.0
"""A body that has not begun by then says nothing about what its request will cost."""


class Edge:
    """Strips headers that are Serve's own, and gives Serve's own answers the dialect's shape.

    Where the process behind died, Serve sends nothing, or a text: the client gets a 503 that says
    when to come again. Which applications there are (`/-/routes`) is nobody's business.

    A body gets no further than the app reads it, and a request like one that was refused for want
    of room a moment ago is refused here. What comes by a WebSocket goes on in bursts.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._door = Door()
        self._sockets = 0
        self._refused: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        for name in _HEADERS:
            del headers[name]
        if not WELL_FORMED.fullmatch(headers.get("x-request-id", "-")):
            del headers["x-request-id"]  # Serve would make a new one only where there is none
        if scope["type"] == "websocket":
            bursts = Bursts(receive, send, lambda: self._sockets)
            self._sockets += 1
            try:
                await self.app(scope, bursts.receive, bursts.send)
            finally:
                self._sockets -= 1
                bursts.close()
        elif scope["path"].rstrip("/") == "/-/routes":
            await error_response(scope, 404, _SENTENCES[404])(scope, receive, send)
        elif (kind := _kind(scope)) is None:
            await _Answer(scope, receive, send).of(self.app)
        else:
            await self._with_body(kind, scope, receive, send)

    async def _with_body(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        if (later := self._door.refusal(kind)) is not None:
            await self._refuse(later, scope, receive, send)
            return
        body = PacedBody(receive)
        await body.begin(_BEGINS_S)
        place = await self._door.enter(kind)
        if isinstance(place, int):
            await self._refuse(place, scope, receive, send)
            return
        scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: self._told()}
        try:
            await _Answer(scope, body.receive, send, body, place).of(self.app)
        finally:
            place.decided()

    def _told(self) -> dict[str, int]:
        told, self._refused = dict(self._refused), Counter()
        return told

    async def _refuse(self, later: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._refused[surface(scope["method"], scope["path"])] += 1
        sentence = f"There is no room for a recording now; send it again in {later} s."
        headers = {**ALWAYS, "Retry-After": str(later)}
        response = error_response(scope, 429, sentence, code=_CODES[429], headers=headers)
        await response(scope, receive, send)


def _kind(scope: Scope) -> Kind | None:
    """What a request is like; None for one without a body."""
    headers = Headers(scope=scope)
    length = declared_length(headers)
    if scope.get("method") != "POST" or not (length or "transfer-encoding" in headers):
        return None
    keys = (headers.get("x-admin-api-key", ""), headers.get("authorization", ""))
    return scope["path"], *keys, str(length.bit_length())


class _Answer:
    """One answer on its way out: the app's passes as it is, one that Serve made is made anew."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        body: PacedBody | None = None,
        place: Pass | None = None,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._body = body
        self._place = place
        self._started = False
        self._anew: tuple[int, str] | None = None

    async def of(self, app: ASGIApp) -> None:
        await app(self._scope, self._receive, self._pass)
        if self._anew is not None:
            await self._make(*self._anew)
        elif not self._started:
            await self._make(503, _RETRY_AFTER_S)

    async def _pass(self, message: Message) -> None:
        if message["type"] == READS:
            if self._body is not None and self._place is not None:
                self._body.reads(message)
                self._place.decided()
            return
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            self._decided(headers)
            of_the_app = "x-content-type-options" in headers
            if message["status"] >= 400 and not of_the_app:
                status = message["status"] if message["status"] in _SENTENCES else 503
                self._anew = (status, headers.get("retry-after", _RETRY_AFTER_S))
        if self._anew is None:
            self._started = True
            await self._send(message)

    def _decided(self, headers: MutableHeaders) -> None:
        if self._body is None or self._place is None:
            return
        self._body.let_go()
        if ROOM_HEADER in headers:
            with suppress(ValueError):
                later = float(headers.get("retry-after", _RETRY_AFTER_S))
                self._place.refused(later, float(headers[ROOM_HEADER]))
            del headers[ROOM_HEADER]
        self._place.decided()

    async def _make(self, status: int, retry_after: str) -> None:
        headers = dict(ALWAYS)
        if status in (429, 503):
            headers["Retry-After"] = retry_after
        response = error_response(
            self._scope, status, _SENTENCES[status], code=_CODES.get(status), headers=headers
        )
        await response(self._scope, self._receive, self._send)


def middlewares() -> list[Middleware]:
    """For the process of Serve's proxy. Its connections become punctual, too."""
    connections.install()
    return [Middleware(Edge)]
