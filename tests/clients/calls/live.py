"""Somebody who speaks, for clients of live sessions: a recording in frames, as fast as it was."""

import asyncio
import wave
from collections.abc import AsyncIterator

from seen import FILE

FRAME_S = 0.05
SECONDS = 16


async def frames() -> AsyncIterator[bytes]:
    """16-bit mono PCM at the file's rate: its first seconds, twice as fast as they were spoken, and
    the silence behind them that ends a turn."""
    with wave.open(str(FILE)) as file:
        rate = file.getframerate()
        audio = file.readframes(SECONDS * rate) + bytes(3 * rate)
    size = round(rate * FRAME_S) * 2
    for start in range(0, len(audio), size):
        yield audio[start : start + size]
        await asyncio.sleep(FRAME_S / 2)
