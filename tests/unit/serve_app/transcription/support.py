"""A transcriber over fakes, and what comes of its recordings."""

from dataclasses import replace

from interchange.stages import (
    UrlSource,
)
from serve_app.transcription.events import (
    Event,
    Resume,
)
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.stages import (
    FakeDiarizer,
    FakeLoader,
    FakeRecognizer,
)

REQUEST = TranscriptionRequest(id="r", source=UrlSource("http://recordings.test/a.wav"))
WITH_SPEAKERS = replace(REQUEST, speakers=True)


def transcriber(
    loader: FakeLoader,
    recognizer: FakeRecognizer | None = None,
    diarizer: FakeDiarizer | None = None,
    in_flight: int = 64,
) -> Transcriber:
    return Transcriber(
        loader,
        recognizer or FakeRecognizer(),
        diarizer or FakeDiarizer(),
        windows_in_flight=in_flight,
    )


async def events_of(
    subject: Transcriber, request: TranscriptionRequest = REQUEST, resume: Resume | None = None
) -> list[Event]:
    return [event async for event in subject.transcribe(request, resume)]
