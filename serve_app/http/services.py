"""What the HTTP app needs from the rest of the service, as Protocols.

In the ingress they are the graph behind Ray handles, in a contract test plain objects.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from serve_app.transcription.stages import BlobSource
from serve_app.transcription.transcriber import Event, TranscriptionRequest
from serve_app.transcription.transcript import Transcript


class Transcriber(Protocol):
    """`serve_app.transcription.transcriber.Transcriber`, as far as HTTP uses it."""

    def transcribe(self, request: TranscriptionRequest) -> AsyncGenerator[Event, None]:
        """The events of one recording; closing the generator stops the work."""
        ...

    async def run(self, request: TranscriptionRequest) -> Transcript:
        """The transcript; cancelling the call stops the work."""
        ...


class Uploads(Protocol):
    """Where uploaded recordings lie while they are worked on."""

    async def save(self, chunks: AsyncIterable[bytes], name: str) -> BlobSource:
        """Store a stream. What was written is gone again where the stream raises."""
        ...

    async def delete(self, source: BlobSource) -> None: ...


class Readiness(Protocol):
    async def stages(self) -> Mapping[str, bool]:
        """Each stage of the graph, and whether a healthy replica of it is there."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where the end of a task is announced, with the headers the client wants sent."""

    url: str
    headers: Mapping[str, str]


class Jobs(Protocol):
    """Work that outlives its request."""

    async def submit(
        self, task_id: str, request: TranscriptionRequest, webhook: WebhookTarget
    ) -> None:
        """Accept a task; it is durable when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """`admin_key` None turns authentication off; an empty one does not.

    `gated_without_token` says that the configured diarization model needs a hub token and
    none is set. `max_upload_bytes` bounds an uploaded recording.
    """

    model: str
    admin_key: str | None = None
    fly_machine_id: str | None = None
    gated_without_token: bool = False
    max_upload_bytes: int = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Services:
    """`jobs` None means that this service takes no asynchronous tasks."""

    config: HttpConfig
    transcriber: Transcriber
    uploads: Uploads
    readiness: Readiness
    jobs: Jobs | None = None
