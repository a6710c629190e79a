"""Headerless PCM, as clients send it that decoded the recording themselves."""

import struct
from collections.abc import AsyncIterator

from interchange.stages import SAMPLE_RATE

_ENDLESS = 0xFFFFFFFF
"""The length that a WAV file has while it is still written."""

_RIFF = b"RIFF"

_FORMAT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE, SAMPLE_RATE * 2, 2, 16)
HEADER = b"".join(
    (
        struct.pack("<4sI4s", _RIFF, _ENDLESS, b"WAVE"),
        _FORMAT,
        struct.pack("<4sI", b"data", _ENDLESS),
    )
)


async def as_wav(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """16-bit PCM at 16 kHz, mono, as a WAV file. What is one already stays as it is."""
    held = b""
    begun = False
    async for chunk in chunks:
        if begun:
            yield chunk
            continue
        held += chunk
        if len(held) >= len(_RIFF):
            begun = True
            yield held if held.startswith(_RIFF) else HEADER + held
    if held and not begun:
        yield HEADER + held
