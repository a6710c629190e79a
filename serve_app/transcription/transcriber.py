"""Recordings in, transcripts out: what the server and the jobs call."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Protocol

from interchange.errors import RecognitionFailed
from interchange.stages import AudioLoader, SpeakerDiarizer, SpeechRecognizer
from interchange.transcript import Transcript
from serve_app.transcription.events import Event, Resume, TranscriptReady
from serve_app.transcription.flow import RecordingFlow, Stages
from serve_app.transcription.request import TranscriptionRequest


class ResumableTranscriber(Protocol):
    """`Transcriber`, or what stands around one."""

    def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]: ...


class Transcriber:
    """Takes recordings through the three stages. One instance serves all requests.

    `windows_in_flight` bounds how many windows of one recording are in recognition at once.
    `voice_model` names the model by which the diarizer hears voices.
    """

    def __init__(
        self,
        loader: AudioLoader,
        recognizer: SpeechRecognizer,
        diarizer: SpeakerDiarizer,
        *,
        windows_in_flight: int = 64,
        voice_model: str = "",
    ) -> None:
        self._stages = Stages(loader, recognizer, diarizer, windows_in_flight, voice_model)

    async def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events of one recording; the last is TranscriptReady.

        Closing the iterator, or cancelling the task that reads it, stops all its work. Raises
        the errors of `interchange.errors`.
        """
        # The work has a task of its own: an async generator must not hold a task group open
        # across a yield, and events have to flow while nobody asks for the next one.
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        work = asyncio.create_task(RecordingFlow(self._stages, request, resume, events).run())
        work.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await work
        finally:
            if not work.done():
                work.cancel()
                # Its cancellation is ours; any other end of it was already reported.
                with suppress(asyncio.CancelledError):
                    await work

    async def run(self, request: TranscriptionRequest) -> Transcript:
        """The transcript, for a caller who needs no events."""
        transcript: Transcript | None = None
        async for event in self.transcribe(request):
            if isinstance(event, TranscriptReady):
                transcript = event.transcript
        if transcript is None:
            raise RecognitionFailed("The transcription ended without a result; try again.")
        return transcript
