"""Who may do what: the key of each request, and the scopes that its path asks for."""

from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from configs.keys import Scope as KeyScope
from interchange.errors import Forbidden
from serve_app.http.around.errors import error_response, is_openai_path
from serve_app.http.gate.keyring import Caller, KeyRing

_CALLER = "rayscribe.caller"

SUBPROTOCOL = "openai-insecure-api-key."
"""How a browser, which can set no header there, sends its key when it opens a WebSocket."""

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/health", "/ready"})
_OPEN_FOLDERS = ("/assets/", "/docs/assets/")

_TASKS: frozenset[KeyScope] = frozenset({"transcribe", "jobs"})
"""Tasks are the original's name for what is waited for, and for what is not."""

_SCOPES: tuple[tuple[str, frozenset[KeyScope]], ...] = (
    ("/v1/jobs", frozenset({"jobs"})),
    ("/v1/models", _TASKS),
    ("/v1/speakers", _TASKS),
    ("/tasks", _TASKS),
    ("/status", _TASKS),
    ("/cancel", _TASKS),
)
_OTHERWISE: frozenset[KeyScope] = frozenset({"transcribe"})

_NOBODY = Caller("", frozenset())


def caller(scope: Scope) -> Caller:
    """Who sent this request."""
    found: Caller = scope[_CALLER]
    return found


def wanted_scopes(path: str) -> frozenset[KeyScope]:
    """The scopes of which one opens this path; a trailing slash is gone from it already."""
    path = path.rstrip("\n")  # which the router's `$` does not see
    if path in ("", "/"):
        return _TASKS  # which of them, the body says
    return next(
        (s for start, s in _SCOPES if path == start or path.startswith(f"{start}/")), _OTHERWISE
    )


def need_scope(scope: Scope, needed: KeyScope) -> None:
    """Raises Forbidden where the request's key lacks a scope."""
    if not caller(scope).may(needed):
        raise Forbidden(_lacking(needed))


def _lacking(*needed: KeyScope) -> str:
    return f"This API key may not do that: it needs the scope {' or '.join(needed)}."


class Auth:
    """Refuses a request without a valid key, or with one that may not do this, before its body is
    read; a WebSocket before it is accepted.

    The key stands in `x-admin-api-key`, in `Authorization: Bearer KEY`, or in a WebSocket's
    subprotocol `openai-insecure-api-key.KEY`. Without one stay open: the pages, the two checks of
    health, and a browser's question whether it may ask.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if _is_open(scope):
            scope[_CALLER] = _NOBODY
            await self.app(scope, receive, send)
            return
        found = next(filter(None, map(self.keys.caller, _given(scope))), None)
        if found is None:
            await _refuse(scope, receive, send, 401, _sentence(scope))
        elif not any(map(found.may, wanted_scopes(scope["path"]))):
            sentence = _lacking(*sorted(wanted_scopes(scope["path"])))
            await _refuse(scope, receive, send, 403, sentence)
        else:
            scope[_CALLER] = found
            await self.app(scope, receive, send)


def _given(scope: Scope) -> Iterator[bytes | None]:
    """The keys that a request brings; None where it brings none."""
    headers = Headers(scope=scope)
    # Header values are latin-1 on the wire, so encoding them so gives back the bytes sent.
    given = headers.get("x-admin-api-key")
    if given is None:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        given = credentials.strip() if scheme.lower() == "bearer" else None
    yield None if given is None else given.encode("latin-1")
    for offered in scope.get("subprotocols") or ():
        if offered.startswith(SUBPROTOCOL):
            yield offered.removeprefix(SUBPROTOCOL).encode("latin-1", "replace")


def _is_open(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    method, path = scope["method"], scope["path"]
    if method == "OPTIONS":
        return "access-control-request-method" in Headers(scope=scope)
    return method in ("GET", "HEAD") and (path in OPEN_PATHS or path.startswith(_OPEN_FOLDERS))


def _sentence(scope: Scope) -> str:
    if not is_openai_path(scope["path"]):
        return "Unauthorized"  # the original's word
    return (
        "The API key is missing or wrong; send it as 'Authorization: Bearer KEY' or in "
        "the header x-admin-api-key."
    )


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted, this is an answer 403 to the request that would open it.
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    await error_response(scope, status, sentence, headers=headers)(scope, receive, send)
