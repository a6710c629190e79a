"""The recording of a job, whole or a range of it (RFC 9110, section 14), for who plays it."""

import asyncio
import mimetypes
import re
from collections.abc import AsyncIterator
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)

_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, max-age=3600",
    # What a client uploaded is played or saved, and never run as a page of this service.
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


def media_type(name: str) -> str:
    """By the file's name; what is neither audio nor video is only bytes."""
    kind = mimetypes.guess_type(name)[0] or ""
    return kind if kind.startswith(("audio/", "video/")) else "application/octet-stream"


def asked_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last; None where all are asked for, which includes a
    header that cannot be understood. Raises ValueError for a range that holds none of them."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
    if last and first and int(last) < int(first):
        return None
    if start >= end:
        raise ValueError("the range lies behind the end")
    return start, end


async def recording_answer(file: BinaryIO, name: str, wanted: str | None) -> Response:
    """`wanted` is the header Range. The file is closed once the answer was sent."""
    size = await asyncio.to_thread(file.seek, 0, 2)
    headers = _HEADERS.copy()
    try:
        part = asked_range(wanted, size)
    except ValueError:
        file.close()
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    start, end = part or (0, size)
    headers["Content-Length"] = str(end - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(
        _read(file, start, end), 206 if part else 200, headers, media_type(name)
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
