"""Bodies that are not recordings are small."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.http.around.errors import error_response


class BodyLimit:
    """Answers 413 to a body beyond `max_bytes`, from its declared length or while it is read.

    Paths in `uploads` are left alone: they count the recording themselves.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, uploads: frozenset[str]) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.uploads:
            await self.app(scope, receive, send)
            return
        sentence = f"The request body is larger than {self.max_bytes} bytes; send less."
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_bytes:
            await error_response(scope, 413, sentence)(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise HTTPException(413, sentence)
            return message

        await self.app(scope, receive_counted, send)
