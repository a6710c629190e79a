"""Bodies that are not recordings are small, and no body may dawdle."""

import time

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.http.around.errors import error_response
from serve_app.http.around.json_text import BadJson, parse_json

_NEVER_IN_A_PATH = frozenset(map(chr, [*range(32), 127]))

SILENCE_S = 30.0
"""The longest pause within a body."""

GRACE_S = 15.0
"""How long a body may be slower than the least rate: a phone looks for its network."""


class Bounds:
    """Answers 413 to a body beyond `max_bytes`, 408 to one that comes at less than `min_rate`
    bytes a second, 422 to JSON that no program would send, and 404 to a path that no client types.

    Bodies of the paths in `uploads`, and of those right below one that ends in a slash, may be
    larger: their readers count the recording themselves.
    JSON has at most `max_json_bytes` there, and is read whole before anything else sees it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int,
        max_json_bytes: int,
        uploads: frozenset[str],
        min_rate: float,
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_json_bytes = max_json_bytes
        self.uploads = uploads
        self.min_rate = min_rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not _NEVER_IN_A_PATH.isdisjoint(scope["path"]):
            await error_response(scope, 404, "Not Found")(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body: Receive = _Body(receive, self.min_rate).receive
        is_json = "json" in headers.get("content-type", "").lower()
        try:
            path = scope["path"]
            upload = not self.uploads.isdisjoint({path, path[: path.rfind("/") + 1]})
            if is_json or not upload:
                limit = self.max_json_bytes if upload else self.max_bytes
                body = _counted(body, headers, limit)
            if is_json:
                body = _again(await _whole_json(body), receive)
        except HTTPException as error:
            response = error_response(
                scope, error.status_code, str(error.detail), headers=error.headers
            )
            await response(scope, receive, send)
            return
        await self.app(scope, body, send)


class _Body:
    """A body on its way. The time that we take ourselves to deal with it does not count."""

    def __init__(self, receive: Receive, min_rate: float) -> None:
        self._receive = receive
        self._min_rate = min_rate
        self._bytes = 0
        self._waited = 0.0
        self._ended = False

    async def receive(self) -> Message:
        """Raises HTTPException 408 where the client is too slow."""
        if self._ended:
            return await self._receive()
        patience = min(SILENCE_S, GRACE_S + self._bytes / self._min_rate - self._waited)
        began = time.monotonic()
        try:
            with anyio.fail_after(max(patience, 0)):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                408,
                f"The request body came too slowly: less than {self._min_rate:g} bytes a second, "
                f"or nothing for {SILENCE_S:g} s. Send it again over a better connection.",
                headers={"Connection": "close"},
            ) from None
        self._waited += time.monotonic() - began
        self._bytes += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message


def _counted(receive: Receive, headers: Headers, limit: int) -> Receive:
    """Raises HTTPException 413 where the body is declared longer, or while it is read."""
    sentence = f"The request body is larger than {limit} bytes; send less."
    if declared_length(headers) > limit:
        raise HTTPException(413, sentence)
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, sentence)
        return message

    return counted


def declared_length(headers: Headers) -> int:
    """What a request says that its body has, in bytes; 0 where it says nothing."""
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdecimal() and len(declared) < 19 else 0


async def _whole_json(receive: Receive) -> bytes | None:
    """A body of JSON, None where its client has gone. Raises HTTPException 422.

    What is no JSON at all passes: each dialect has an answer of its own to that.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    try:
        parse_json(bytes(body))
    except BadJson as error:
        raise HTTPException(422, f"The request body is not taken: {error}.") from error
    except ValueError:
        pass
    return bytes(body)


def _again(body: bytes | None, receive: Receive) -> Receive:
    """What hands out a body that was read already, and then what comes after it."""
    pending = [] if body is None else [body]

    async def replayed() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        if body is None:
            return {"type": "http.disconnect"}
        return await receive()

    return replayed
