"""One key for the whole service, as the original has it."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.http.around.errors import error_response, is_openai_path


class AdminKeyAuth:
    """Refuses every request without the key, whatever its path, before its body is read.

    The key stands in `x-admin-api-key`; under /v1 also as `Authorization: Bearer KEY`, which
    is what clients of OpenAI's API send. An empty key has to be sent too.
    """

    def __init__(self, app: ASGIApp, key: str) -> None:
        self.app = app
        self.key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._allowed(scope):
            await self.app(scope, receive, send)
            return
        message = "Unauthorized"
        if is_openai_path(scope["path"]):
            message = (
                "The API key is missing or wrong; send it as 'Authorization: Bearer KEY' or in "
                "the header x-admin-api-key."
            )
        await error_response(scope, 401, message)(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        given = headers.get("x-admin-api-key")
        if given is None and is_openai_path(scope["path"]):
            scheme, _, credentials = headers.get("authorization", "").partition(" ")
            given = credentials.strip() if scheme.lower() == "bearer" else None
        # Header values are latin-1 on the wire, so encoding them so gives back the bytes sent.
        return given is not None and hmac.compare_digest(given.encode("latin-1"), self.key)
