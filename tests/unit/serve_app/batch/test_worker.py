"""What becomes of a recording with one worker."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from interchange.errors import QueueFull, RecognitionFailed, UndecodableRecording
from interchange.stages import BlobSource, UrlSource
from interchange.transcript import Transcript
from serve_app.batch.worker import Worker
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.stages import FakeDiarizer, FakeLoader, FakeRecognizer, graph, window

ASKED = TranscriptionRequest("", BlobSource("", ""), words=True, language="en")


class Refusing:
    """Raises what it is given, one after the other, and answers in the end."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.requests: list[TranscriptionRequest] = []

    async def run(self, request: TranscriptionRequest) -> Transcript:
        self.requests.append(request)
        if self.errors:
            raise self.errors.pop(0)
        return Transcript((), "en", 4.0)


async def test_a_recording_becomes_a_row_of_its_words() -> None:
    outcome = await Worker(graph(), ASKED).transcribe("/calls/a.wav")
    assert (outcome.failed, outcome.again, outcome.duration) == (False, False, 30.0)
    assert outcome.row["path"] == "/calls/a.wav"
    assert outcome.row["text"] == "window 0 window 1 window 2"
    assert [word["word"] for word in outcome.row["words"]] == ["window 0", "window 1", "window 2"]
    assert outcome.row["speakers"] is None


async def test_windows_of_recordings_at_the_same_time_wait_beside_each_other() -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    loader = FakeLoader([window(0)])
    worker = Worker(Transcriber(loader, recognizer, FakeDiarizer()), ASKED)
    at_work = [asyncio.create_task(worker.transcribe(f"{name}.wav")) for name in "abc"]
    while recognizer.running < 3:
        await asyncio.sleep(0)
    assert {options.request_id for _, options in recognizer.calls} == {"a.wav", "b.wav", "c.wav"}
    assert {options.priority for _, options in recognizer.calls} == {"interactive"}
    recognizer.gate.set()  # type: ignore[union-attr]
    assert [(await each).row["path"] for each in at_work] == ["a.wav", "b.wav", "c.wav"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/calls/a.wav", BlobSource("/calls/a.wav", "a.wav")),
        ("s3://calls/a.wav", BlobSource("s3://calls/a.wav", "a.wav")),
        ("https://calls/a.wav", UrlSource("https://calls/a.wav")),
    ],
)
async def test_where_a_recording_lies(path: str, source: Any) -> None:
    runner = Refusing()
    await Worker(runner, ASKED).transcribe(path)
    assert runner.requests == [replace(ASKED, id=path, source=source)]


@pytest.mark.parametrize(
    ("error", "fault", "code", "again"),
    [
        (UndecodableRecording("No audio."), "recording", "undecodable_recording", False),
        (RecognitionFailed("No memory."), "program", "recognition_failed", True),
        (OSError("The line is dead."), "program", "internal_error", True),
    ],
)
async def test_a_failure_becomes_a_row_that_says_whose_it_was(
    error: Exception, fault: str, code: str, again: bool
) -> None:
    outcome = await Worker(Refusing(error), ASKED).transcribe("a.wav")
    assert (outcome.failed, outcome.again) == (True, again)
    assert outcome.row["fault"] == fault
    assert outcome.row["code"] == code
    assert str(error) in outcome.row["message"]


async def test_a_full_queue_is_waited_for() -> None:
    outcome = await Worker(Refusing(QueueFull("Later.", 0)), ASKED).transcribe("a.wav")
    assert not outcome.failed
