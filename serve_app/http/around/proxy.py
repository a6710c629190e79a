"""Middleware for Serve's HTTP proxy, which reads two headers before the app sees a request.

Named by `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=serve_app.http.around.proxy:middlewares`.
"""

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADERS = ("x-request-timeout-seconds", "x-request-disconnect-disabled")


class StripServeHeaders:
    """Drops the headers by which a client overrides the proxy's time limit, or has its work go
    on after it left: both are for the operator to say."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = MutableHeaders(scope=scope)
            for name in _HEADERS:
                del headers[name]
        await self.app(scope, receive, send)


def middlewares() -> list[Middleware]:
    return [Middleware(StripServeHeaders)]
