from typing import Any

from starlette.types import Receive, Scope, Send

from serve_app.http.around.proxy import middlewares


async def test_serves_own_headers_are_stripped() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])

    (middleware,) = middlewares()
    wrapped: Any = middleware.cls(app, *middleware.args, **middleware.kwargs)
    headers = [
        (b"x-request-timeout-seconds", b"0.1"),
        (b"x-request-id", b"a"),
        (b"x-request-disconnect-disabled", b"?1"),
        (b"x-request-timeout-seconds", b"2"),
    ]
    await wrapped({"type": "http", "headers": headers}, None, None)
    assert seen == [(b"x-request-id", b"a")]


def test_the_names_are_serves() -> None:
    from ray.serve._private import constants

    from serve_app.http.around.proxy import _HEADERS

    assert set(_HEADERS) == {
        constants.SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER,
        constants.SERVE_HTTP_REQUEST_DISCONNECT_DISABLED_HEADER,
    }
