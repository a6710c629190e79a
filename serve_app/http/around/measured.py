"""Counting requests by surface and status, of whatever was answered by whom."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interchange import measures

_SURFACES = (
    ("live", re.compile(r"/v1/realtime")),
    ("openai", re.compile(r"/v1/audio(/.*)?", re.DOTALL)),
    ("jobs", re.compile(r"/v1/jobs(/.*)?", re.DOTALL)),
    ("asr", re.compile(r"/asr|/detect-language")),
    ("health", re.compile(r"/health|/ready")),
)
SURFACES = (*(name for name, _ in _SURFACES), "seed", "other")
_SEED = re.compile(r"/|/tasks|/(status|cancel)/[^/]*", re.DOTALL)


def surface(method: str, path: str) -> str:
    """Whose request this is: one of SURFACES, whatever strangers ask for."""
    path = path.rstrip("/") or "/"
    for name, paths in _SURFACES:
        if paths.fullmatch(path):
            return name
    asks_for_page = path == "/" and method != "POST"
    return "seed" if _SEED.fullmatch(path) and not asks_for_page else "other"


class Measured:
    """A client who goes away before its answer begins is counted with the status 499."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 499

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            whose = surface(scope["method"], scope["path"])
            measures.REQUESTS.record(surface=whose, status=str(status))
