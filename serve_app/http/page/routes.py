"""The page at `/` and its files, which lie in `serve_app/page/` and are served as they are.

Everybody gets them, with a key or without: they hold nothing of a client's. What the page asks
of the service goes through the API, with a key where one is set.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

_FOLDER = Path(__file__).parents[2] / "page"
_INDEX = "index.html"
ASSETS = "/assets"

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
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
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

routes = APIRouter(include_in_schema=False)


def is_open(method: str, path: str) -> bool:
    """Whether a request is for the page itself, which needs no key."""
    return method in ("GET", "HEAD") and (path == "/" or path.startswith(f"{ASSETS}/"))


@routes.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    return _answer(request, _FILES[_INDEX])


@routes.api_route(f"{ASSETS}/{{path:path}}", methods=["GET", "HEAD"])
async def asset(request: Request, path: str) -> Response:
    if path not in _FILES or path == _INDEX:
        raise HTTPException(404, f"The page has no file {path!r}.")
    return _answer(request, _FILES[path])


def _answer(request: Request, file: _File) -> Response:
    headers = {**_HEADERS, "ETag": file.etag}
    known = request.headers.get("if-none-match", "")
    if file.etag in (tag.strip() for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    body = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = file.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=file.media_type)
