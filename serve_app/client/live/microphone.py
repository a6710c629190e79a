"""What the microphone hears, by the package sounddevice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import typer


async def heard(rate: int, frame_s: float) -> AsyncIterator[bytes]:
    """16-bit mono PCM in frames of so many seconds, without end.

    Raises typer.BadParameter where there is no package or no microphone.
    """
    try:
        import sounddevice  # noqa: PLC0415 - an extra, which loads PortAudio
    except (ImportError, OSError) as missing:
        raise _wrong(
            "the microphone needs the package sounddevice and PortAudio: pip install "
            f"'rayscribe[microphone]' ({missing}). Or give - and pipe PCM in."
        ) from missing
    frames: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def take(data: Any, *_: object) -> None:
        loop.call_soon_threadsafe(frames.put_nowait, bytes(data))

    try:
        stream = sounddevice.RawInputStream(
            rate, round(rate * frame_s), channels=1, dtype="int16", callback=take
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise _wrong(f"no microphone can be opened: {error}.") from error
    with stream:
        while True:
            yield await frames.get()


def _wrong(why: str) -> typer.BadParameter:
    return typer.BadParameter(why, param_hint="'[-]'")
