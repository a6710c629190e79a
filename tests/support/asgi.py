"""Driving the app by hand, message by message, where a test client hides too much."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from starlette.types import Message


@dataclass
class Exchange:
    """One request on its way: `body` is what the client sends, after which it keeps waiting.

    `received` counts the body's bytes that the app took. `leave` is the client closing its
    connection.
    """

    app: FastAPI
    path: str
    headers: dict[str, str]
    body: AsyncIterator[bytes]
    received: int = 0
    sent: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: bool = False

    async def run(self) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in self.headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        await self.app(scope, self._receive, self._send)

    def leave(self) -> None:
        self.gone.set()

    async def _receive(self) -> Message:
        if self.gone.is_set():
            return {"type": "http.disconnect"}
        if not self._ended:
            chunk = await anext(self.body, None)
            if chunk is not None:
                self.received += len(chunk)
                return {"type": "http.request", "body": chunk, "more_body": True}
            self._ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def answer(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])
