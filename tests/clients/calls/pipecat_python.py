"""Pipecat's services: a voice agent's audio to text, by segments and while somebody speaks."""

import asyncio

from live import FRAME_S, frames
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.stt import OpenAIRealtimeSTTService, OpenAISTTService
from pipecat.workers.runner import WorkerRunner
from seen import BASE_URL, FILE, KEY, call

_RATE = 16_000
_SPOKEN_S = (6.6, 16.5)
"""When somebody speaks in what is sent, as a detector of the pipeline would have it."""
_PATIENCE_S = 60


def run(**options: object) -> str:
    async def ask() -> str:
        service = OpenAISTTService(api_key=KEY, base_url=BASE_URL, **options)
        frames = [frame async for frame in service.run_stt(FILE.read_bytes())]
        return " ".join(frame.text for frame in frames)

    return asyncio.run(ask())


class Listener(FrameProcessor):
    """The end of a pipeline: what was transcribed."""

    def __init__(self) -> None:
        super().__init__()
        self.interim = ""
        self.final: list[str] = []
        self.errors: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether all that came as deltas came as transcripts."""
        return bool(self.final) and "".join(self.final) == self.interim

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterimTranscriptionFrame):
            self.interim += frame.text
        elif isinstance(frame, TranscriptionFrame):
            self.final.append(frame.text)
        elif isinstance(frame, ErrorFrame):
            self.errors.append(frame.error)
        await self.push_frame(frame, direction)


def listen(**options: object) -> str:
    """What a pipeline says of somebody who speaks; deltas are the texts."""

    async def ask() -> str:
        address = f"{BASE_URL.replace('http', 'ws', 1)}/realtime"
        service = OpenAIRealtimeSTTService(api_key=KEY, base_url=address, **options)
        first, last = Listener(), Listener()
        worker = PipelineWorker(
            Pipeline([first, service, last]),
            params=PipelineParams(audio_in_sample_rate=_RATE),
            cancel_on_idle_timeout=False,
        )
        started = asyncio.Event()
        worker.add_event_handler("on_pipeline_started", lambda *_: started.set())

        async def speak() -> None:
            await asyncio.wait_for(started.wait(), _PATIENCE_S)
            at = 0.0
            async for part in frames():
                for moment, kind in zip(_SPOKEN_S, _VOICE, strict=True):
                    if at <= moment < at + FRAME_S:
                        await worker.queue_frame(kind())
                await worker.queue_frame(InputAudioRawFrame(part, _RATE, 1))
                at += FRAME_S
            async with asyncio.timeout(_PATIENCE_S):
                while not last.complete:
                    await asyncio.sleep(0.1)
            await worker.queue_frame(EndFrame())

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await asyncio.gather(runner.run(), speak())
        assert not first.errors, first.errors
        return " ".join(last.final)

    return asyncio.run(ask())


_VOICE = (VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame)

call("run_stt", run)
call("with a prompt", lambda: run(prompt="A telephone call.", temperature=0.0))
call("realtime, with the pipeline's turns", listen)
call("realtime, with the service's", lambda: listen(turn_detection={"type": "server_vad"}))
