"""One recording after another through the flow that the HTTP graph uses, and what becomes of it."""

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Protocol

from interchange.errors import ClientError, QueueFull, RayscribeError
from interchange.stages import BlobSource, Source, UrlSource
from interchange.transcript import Transcript
from serve_app.batch.rows import Row, failure_row, transcript_row
from serve_app.transcription.request import TranscriptionRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row for its table: of the failures where `failed`. With `again`, another try may do
    better. `duration` is the recording's, in seconds."""

    row: Row
    failed: bool = False
    again: bool = False
    duration: float = 0.0


class Runner(Protocol):
    """`serve_app.transcription.transcriber.Transcriber`, as far as a worker uses it."""

    async def run(self, request: TranscriptionRequest) -> Transcript: ...


class Worker:
    """Transcribes any number of recordings at the same time; their windows share batches.

    `asked` is the request of all of them, but for its id and its source.
    """

    def __init__(self, transcriber: Runner, asked: TranscriptionRequest) -> None:
        self._transcriber = transcriber
        self._asked = asked

    async def transcribe(self, path: str) -> Outcome:
        """What becomes of the recording of that path or URL. Raises nothing of its own."""
        request = replace(self._asked, id=path, source=_source(path))
        try:
            transcript = await self._when_there_is_room(request)
        except ClientError as error:
            return Outcome(failure_row(path, error), failed=True)
        except RayscribeError as error:
            log.warning("A try at a recording failed: %s", error.code)
            return Outcome(failure_row(path, error), failed=True, again=True)
        except Exception as error:
            log.exception("A try at a recording failed.")
            return Outcome(failure_row(path, error), failed=True, again=True)
        return Outcome(transcript_row(path, transcript), duration=transcript.duration)

    async def _when_there_is_room(self, request: TranscriptionRequest) -> Transcript:
        while True:
            try:
                return await self._transcriber.run(request)
            except QueueFull as full:
                await asyncio.sleep(full.retry_after)


def _source(path: str) -> Source:
    if path.lower().startswith(("http://", "https://")):
        return UrlSource(path)
    return BlobSource(path, PurePosixPath(path).name)
