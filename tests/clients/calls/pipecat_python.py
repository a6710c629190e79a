"""Pipecat's service: a segment of a voice agent's audio to text."""

import asyncio

from pipecat.services.openai.stt import OpenAISTTService
from seen import BASE_URL, FILE, KEY, call


def run(**options: object) -> str:
    async def ask() -> str:
        service = OpenAISTTService(api_key=KEY, base_url=BASE_URL, **options)
        frames = [frame async for frame in service.run_stt(FILE.read_bytes())]
        return " ".join(frame.text for frame in frames)

    return asyncio.run(ask())


call("run_stt", run)
call("with a prompt", lambda: run(prompt="A telephone call.", temperature=0.0))
