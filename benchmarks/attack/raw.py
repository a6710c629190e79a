"""A client that costs little, so that what is measured is the service: sockets, and no library."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.attack.target import KEY, TRANSCRIPTIONS, Target

_FIRST = 16_384
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """`first_s` and `took_s` until its first and its last byte, in seconds from when the headers
    were sent. The status is 0 where there was none."""

    status: int
    later: int = 0
    first_s: float = 0.0
    took_s: float = 0.0


def form(recording: bytes) -> bytes:
    field = '--cut\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    return (
        field.format("model", "").encode()
        + b"whisper-1\r\n"
        + field.format("file", '; filename="a.wav"').encode()
        + recording
        + b"\r\n--cut--\r\n"
    )


def head(target: Target, length: int, kind: str = "multipart/form-data; boundary=cut") -> bytes:
    return (
        f"POST {TRANSCRIPTIONS} HTTP/1.1\r\nHost: {urlsplit(target.service.url).netloc}\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


Ready = Callable[[], Awaitable[object]]


async def upload(target: Target, body: bytes, ready: Ready | None = None) -> Answer:
    """Send a form, and stop sending when there is an answer. `ready` is waited for when the
    connection is there."""
    address = urlsplit(target.service.url)
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
    except OSError:
        return Answer(0)
    try:
        if ready is not None:
            await ready()
        writer.write(head(target, len(body)) + body[:_FIRST])
        await writer.drain()
        began = time.monotonic()
        sending = asyncio.create_task(_send(writer, body[_FIRST:]))
        try:
            line = await reader.readline()
            first = time.monotonic() - began
            headers = dict[str, str]()
            while (text := (await reader.readline()).decode("latin-1").strip()) != "":
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            await reader.readexactly(int(headers.get("content-length", "0")))
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        took = time.monotonic() - began
        return Answer(int(line.split()[1]), int(headers.get("retry-after", "0")), first, took)
    except (OSError, EOFError, IndexError):
        return Answer(0)
    finally:
        writer.close()


async def _send(writer: asyncio.StreamWriter, rest: bytes) -> None:
    with suppress(OSError):
        for at in range(0, len(rest), _PIECE):
            writer.write(rest[at : at + _PIECE])
            await writer.drain()


async def drip(target: Target, every_s: float) -> None:
    """An upload that begins and then sends a byte now and then, until it is cut off."""
    address = urlsplit(target.service.url)
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(head(target, 1_000_000) + form(b"RIFF")[:-12])
            answered = asyncio.create_task(reader.read(1))
            while not answered.done():
                writer.write(b"\0")
                await writer.drain()
                await asyncio.wait({answered}, timeout=every_s)
        finally:
            answered.cancel()
            await asyncio.gather(answered, return_exceptions=True)
            writer.close()
