"""Headers that tell a browser what an answer of this service may be used for."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOTHING = "default-src 'none'; frame-ancestors 'none'"
_DOCS = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Swagger UI's page starts by a script within it."""

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """Sets them on every answer; what a route has set itself stays.

    `shared`: other origins may read answers (CORS), so that they are not kept to this one.
    """

    def __init__(self, app: ASGIApp, *, shared: bool) -> None:
        self.app = app
        self.headers = dict(ALWAYS)
        if shared:
            self.headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (self.headers | _of(scope)).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def _of(scope: Scope) -> dict[str, str]:
    path = scope["path"]
    if path == "/docs" or path.startswith("/docs/"):
        return {"Content-Security-Policy": _DOCS}
    return {"Content-Security-Policy": _NOTHING, "Cache-Control": "no-store"}
