"""An id for every request."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADER = "x-request-id"
_KEY = "rayscribe.request_id"
WELL_FORMED = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)


def request_id(scope: Scope) -> str:
    return str(scope.get(_KEY, "-"))


class RequestIds:
    """Takes the request's `x-request-id`, or makes one and names it in the answer.

    A caller who sends an id, which Serve's proxy does, sets the answer's header itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(_HEADER, "")
        known = WELL_FORMED.fullmatch(given) is not None
        scope[_KEY] = given if known else uuid.uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start" and not known:
                MutableHeaders(scope=message)[_HEADER] = scope[_KEY]
            await send(message)

        await self.app(scope, receive, send_with_id)
