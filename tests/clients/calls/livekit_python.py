"""LiveKit's plugin: a voice agent's audio to text, a frame at once and while somebody speaks."""

import asyncio
import wave

from live import frames
from livekit import rtc
from livekit.agents import APIConnectOptions, stt
from livekit.agents.utils import http_context
from livekit.plugins import openai as plugin
from openai import AsyncOpenAI
from seen import BASE_URL, FILE, KEY, call

_RATE = 16_000
_PATIENCE_S = 60


def recognize(**options: object) -> str:
    async def ask() -> str:
        with wave.open(str(FILE)) as file:
            samples = file.getnframes()
            frame = rtc.AudioFrame(file.readframes(samples), file.getframerate(), 1, samples)
        # Half a minute at once is more than an agent sends, and the plugin waits 5 s for it.
        client = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, timeout=120)
        stt = plugin.STT(model="whisper-1", client=client, **options)
        patient = APIConnectOptions(max_retry=0, timeout=120)
        event = await stt.recognize(frame, conn_options=patient)
        return event.alternatives[0].text

    return asyncio.run(ask())


def listen() -> str:
    """What a stream says of somebody who speaks; words have to come before turns end."""

    async def ask() -> str:
        engine = plugin.STT(
            model="gpt-4o-mini-transcribe", base_url=BASE_URL, api_key=KEY, use_realtime=True
        )
        stream = engine.stream()
        events: list[stt.SpeechEvent] = []

        async def read() -> None:
            async for event in stream:
                events.append(event)  # noqa: PERF401 - they are counted meanwhile

        def count(kind: stt.SpeechEventType) -> int:
            return sum(event.type == kind for event in events)

        reading = asyncio.create_task(read())
        async for part in frames():
            stream.push_frame(rtc.AudioFrame(part, _RATE, 1, len(part) // 2))
        async with asyncio.timeout(_PATIENCE_S):
            # Each turn ends with an account of it.
            while count(KIND.RECOGNITION_USAGE) < max(1, count(KIND.START_OF_SPEECH)):
                await asyncio.sleep(0.1)
        await stream.aclose()
        await reading
        await engine.aclose()
        assert count(KIND.INTERIM_TRANSCRIPT), "no words came early"
        finals = (event for event in events if event.type == KIND.FINAL_TRANSCRIPT)
        return " ".join(event.alternatives[0].text for event in finals)

    async def outside_of_a_job() -> str:
        async with http_context.open():
            return await ask()

    return asyncio.run(outside_of_a_job())


KIND = stt.SpeechEventType

call("STT.recognize", recognize)
call("with language and prompt", lambda: recognize(language="en", prompt="A telephone call."))
call("detected language", lambda: recognize(detect_language=True))
call("realtime", listen)
