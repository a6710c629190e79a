"""Ranges of bytes (RFC 9110, section 14), and how a recording is handed out."""

import mimetypes
import re

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)

OPEN_BYTES = 8 * 2**20

_SAFE = {
    "Cache-Control": "private, max-age=3600",
    # What a client brought is played or saved, and never run as a page of this service.
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


def media_type(name: str) -> str:
    """By the file's name; what is neither audio nor video is only bytes."""
    kind = mimetypes.guess_type(name)[0] or ""
    return kind if kind.startswith(("audio/", "video/")) else "application/octet-stream"


def named_bytes(header: str | None) -> tuple[int | None, int | None]:
    """The two numbers of a header Range, None for what is not there: without the first the second
    counts from the end. Without both all bytes are asked for, as by a header that cannot be
    understood."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None:
        return None, None
    first, last = (int(number) if number else None for number in found.groups())
    return (
        (None, None) if first is not None and last is not None and last < first else (first, last)
    )


def asked_range(header: str | None, size: int, *, most: int = OPEN_BYTES) -> tuple[int, int] | None:
    """The first byte and the one behind the last; None where all are asked for. Raises ValueError
    for a range that holds none of them.

    Of a range without an end, which players ask for, at most `most` bytes: they ask for more when
    they need it (RFC 9110, section 15.3.7). Serve takes an answer from the ingress as fast as it
    comes, so all of it would wait there for a player that stands still.
    """
    first, last = named_bytes(header)
    if first is None and last is None:
        return None
    if first is None:
        start, end = max(0, size - (last or 0)), size
    else:
        start, end = first, min(size, first + most if last is None else last + 1)
    if start >= end:
        raise ValueError("the range lies behind the end")
    return start, end


def headers(size: int | None, part: tuple[int, int] | None = None) -> dict[str, str]:
    """Of an answer with a recording of `size` bytes, or with a part of it. One of an unknown size
    has no parts."""
    if size is None:
        return _SAFE | {"Accept-Ranges": "none"}
    start, end = part or (0, size)
    head = _SAFE | {"Accept-Ranges": "bytes", "Content-Length": str(end - start)}
    return head | {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if part else head


def behind_the_end(size: int) -> dict[str, str]:
    """The headers of a 416."""
    return _SAFE | {"Content-Range": f"bytes */{size}"}
