"""A slash behind a path changes nothing."""

from starlette.types import ASGIApp, Receive, Scope, Send


class TrailingSlash:
    """Takes `/v1/jobs/` for `/v1/jobs`, before anything looks at the path.

    A redirect would do for a page. An upload would be sent twice, and refused before: its limits
    hang on its path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path = scope["path"].rstrip("/")
            # The root's own slash stays.
            if path != scope.get("root_path", "").rstrip("/"):
                scope = {**scope, "path": path}
        await self.app(scope, receive, send)
