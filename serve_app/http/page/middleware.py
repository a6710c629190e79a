"""The page at `/` and its files, which lie in `serve_app/page/` and are served as they are.

Everybody gets them, with a key or without: they hold nothing of a client's. What the page asks
of the service goes through the API, with a key where one is set.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.http.around.errors import error_response

_FOLDER = Path(__file__).parents[2] / "page"
_INDEX = "index.html"
_ASSETS = "/assets/"
_RECORDING = re.compile(r"/v1/jobs/[^/]+/recording")
_KEY = "x-admin-api-key"
_COOKIE = "rayscribe-key"

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; other files of the folder are for who works on the page."""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    # A browser asks each time whether its copy is the newest, and is told so in a few bytes.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class _File:
    media_type: str
    content: bytes
    compressed: bytes
    etag: str

    @classmethod
    def read(cls, path: Path) -> "_File":
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:32]
        # Weak: one tag for the bytes as they are and for the same bytes compressed.
        return cls(
            _MEDIA_TYPES[path.suffix], content, gzip.compress(content, mtime=0), f'W/"{digest}"'
        )


def _read() -> Iterator[tuple[str, _File]]:
    for path in sorted(_FOLDER.rglob("*")):
        if path.suffix in _MEDIA_TYPES and path.is_file():
            yield path.relative_to(_FOLDER).as_posix(), _File.read(path)


_FILES = dict(_read())
"""By path below the folder. A few hundred kilobytes, read once: a request names one of them or
nothing."""


class Page:
    """Answers what is asked of the page; everything else goes on to the app.

    It stands before the keys are looked at. An audio element can send no header: for the
    recording of a job it may send the key as a cookie, which becomes the header here. For nothing
    else, since a browser sends cookies by itself, whoever's page it shows.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/"))
            if path in ("", "/") or path.startswith(_ASSETS):
                await _answer(scope, path)(scope, receive, send)
                return
            if _RECORDING.fullmatch(path):
                scope = _with_key(scope)
        await self.app(scope, receive, send)


def _answer(scope: Scope, path: str) -> Response:
    name = path.removeprefix(_ASSETS) if path.startswith(_ASSETS) else _INDEX
    file = _FILES.get(name)
    if file is None or (name == _INDEX and path.startswith(_ASSETS)):
        return error_response(scope, 404, f"The page has no file {name!r}.")
    asked = Headers(scope=scope)
    headers = {**_HEADERS, "ETag": file.etag}
    if file.etag in (tag.strip() for tag in asked.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    body = file.content
    if "gzip" in asked.get("accept-encoding", ""):
        body = file.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=file.media_type)


def _with_key(scope: Scope) -> Scope:
    """The request with the key of its cookie, unless it brings one itself."""
    headers = Headers(scope=scope)
    cookie = cookie_parser(headers.get("cookie", "")).get(_COOKIE)
    if cookie is None or _KEY in headers or "authorization" in headers:
        return scope
    return {**scope, "headers": [*scope["headers"], (_KEY.encode(), unquote_to_bytes(cookie))]}
