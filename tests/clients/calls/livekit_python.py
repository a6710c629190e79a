"""LiveKit's plugin: a frame of a voice agent's audio to text."""

import asyncio
import wave

from livekit import rtc
from livekit.agents import APIConnectOptions
from livekit.plugins import openai as plugin
from openai import AsyncOpenAI
from seen import BASE_URL, FILE, KEY, call


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


call("STT.recognize", recognize)
call("with language and prompt", lambda: recognize(language="en", prompt="A telephone call."))
call("detected language", lambda: recognize(detect_language=True))
