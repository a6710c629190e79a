"""The uploaded recording of a job, whole or a range of it, for who plays it."""

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse

from serve_app.http.jobs.ranges import asked_range, behind_the_end, headers, media_type

_CHUNK = 1 << 18


async def recording_answer(file: BinaryIO, name: str, wanted: str | None) -> Response:
    """`wanted` is the header Range. The file is closed once the answer was sent."""
    size = await asyncio.to_thread(file.seek, 0, 2)
    try:
        part = asked_range(wanted, size)
    except ValueError:
        file.close()
        return Response(status_code=416, headers=behind_the_end(size))
    return StreamingResponse(
        _read(file, *(part or (0, size))),
        206 if part else 200,
        headers(size, part),
        media_type(name),
    )


async def _read(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, start)
        while start < end:
            chunk = await asyncio.to_thread(file.read, min(_CHUNK, end - start))
            if not chunk:
                return
            start += len(chunk)
            yield chunk
