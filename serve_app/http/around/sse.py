"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.responses import StreamingResponse

KEEP_ALIVE_SECONDS = 15.0
"""Proxies drop a connection that is silent for a minute or less."""


def message(data: Any, *, event: str | None = None, event_id: str | None = None) -> str:
    """One event: its data as JSON, and where given its name and the id to resume after."""
    lines = [f"event: {event}"] if event is not None else []
    lines += [f"id: {event_id}"] if event_id is not None else []
    return "\n".join([*lines, f"data: {json.dumps(data, ensure_ascii=False)}"]) + "\n\n"


def response(messages: AsyncIterator[str]) -> StreamingResponse:
    """An answer that sends messages as they come, past proxies that would gather them."""
    return StreamingResponse(
        messages,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def with_keep_alive(messages: AsyncIterator[str]) -> AsyncIterator[str]:
    """Fill silences with comments, which clients skip."""
    while True:
        upcoming = asyncio.ensure_future(anext(messages, None))
        try:
            while not (await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_SECONDS))[0]:
                yield ": keep-alive\n\n"
        finally:
            if not upcoming.done():
                upcoming.cancel()
                with suppress(asyncio.CancelledError):
                    await upcoming
        message = upcoming.result()
        if message is None:
            return
        yield message
