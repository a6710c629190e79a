"""OpenAI's client of live sessions, which speaks recordings."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from difflib import SequenceMatcher
from typing import Any

import av
import openai

from tests.support.running.service import Service

RATE = 24_000
TRANSCRIPTION = "conversation.item.input_audio_transcription"


def pcm(path: Any) -> bytes:
    """A recording as clients send it, with the silence behind it that ends a turn."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(path)) as file:
        frames = [*file.decode(audio=0), None]
        parts = [
            part.to_ndarray().tobytes() for frame in frames for part in resampler.resample(frame)
        ]
    return b"".join(parts) + bytes(2 * RATE)


@asynccontextmanager
async def connected(service: Service) -> AsyncIterator[Any]:
    client = openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)
    async with (
        client,
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        created = await connection.recv()
        assert created.type == "session.created"
        yield connection


async def speak(connection: Any, audio: bytes, speed: float) -> None:
    """Send audio so many times as fast as it is spoken, 50 ms at a time."""
    frame = RATE // 20 * 2
    for start in range(0, len(audio), frame):
        part = base64.b64encode(audio[start : start + frame]).decode()
        await connection.input_audio_buffer.append(audio=part)
        await asyncio.sleep(0.05 / speed)
    # Behind the answer to this, only items are missing that are open then.
    await connection.input_audio_buffer.clear()


async def heard(connection: Any, audio: bytes, speed: float = 8) -> list[Any]:
    """All events until all is said and every item is complete."""
    speaking = asyncio.create_task(speak(connection, audio, speed))
    events: list[Any] = []
    missing, ended = 0, False
    try:
        while missing or not ended:
            event = await asyncio.wait_for(connection.recv(), 150)
            events.append(event)
            missing += event.type.endswith(".speech_started")
            missing -= event.type.endswith((".completed", ".failed"))
            ended = ended or event.type.endswith(".cleared")
    finally:
        speaking.cancel()
    return events


def text(events: list[Any]) -> str:
    return " ".join(e.transcript for e in events if e.type == f"{TRANSCRIPTION}.completed")


def alike(said: str, wanted: str) -> float:
    """From 0 to 1, by words without case and punctuation."""
    return SequenceMatcher(None, _bare(said), _bare(wanted), autojunk=False).ratio()


def _bare(said: str) -> list[str]:
    return ["".join(filter(str.isalnum, word)) for word in said.lower().replace("-", " ").split()]
