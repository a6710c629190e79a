"""What the HTTP app needs from the rest of the service.

The graph and what surrounds it are Protocols: in the ingress they are Ray handles, in a contract
test plain objects. Jobs and voice profiles need no graph to be kept and looked at, so there they
are the real ones, on a store of the test's own.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

from fastapi import Depends
from starlette.requests import HTTPConnection

from interchange.stages import BlobSource, RecordingRelay, Source, VoiceSample
from interchange.transcript import Transcript
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.profiles import ProfileStore
from serve_app.live.service import LiveService
from serve_app.transcription.admission import Admission
from serve_app.transcription.events import Event
from serve_app.transcription.request import TranscriptionRequest


class StreamingTranscriber(Protocol):
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

    def open(self, source: BlobSource) -> BinaryIO:
        """A seekable file; it may block. Raises NotFound."""
        ...


class Voices(Protocol):
    """`serve_app.transcription.voices.VoiceReader`, as far as HTTP uses it."""

    async def learn(self, source: Source, name: str, param: str) -> VoiceSample:
        """The voice of a recording of one person. Raises InvalidOption for `param`."""
        ...


class Readiness(Protocol):
    async def stages(self) -> Mapping[str, bool]:
        """Each stage of the graph, and whether a healthy replica of it is there."""
        ...

    async def disk(self) -> bool:
        """Whether there is room for uploads and for what is parked while it is worked on."""
        ...


class Watch(Protocol):
    def check(self) -> None:
        """Raises Unavailable where a stage has been down for a while."""
        ...


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """`admin_key` is a key that may do all; an empty one counts. `keys_file` has further keys with
    scopes. With neither nobody needs a key.

    `voice_model` hears voices. `gated_without_token` says that the configured diarization model
    needs a hub token and none is set. `max_upload_bytes` bounds an uploaded recording,
    `max_requests` how many requests are at work at once, `max_request_s` for how long each may
    be (0: any time), and a body that brings less than `min_upload_bytes_s` is cut off. Pages of
    `cors_origins` may use the service.
    """

    model: str
    voice_model: str = ""
    admin_key: str | None = None
    keys_file: Path | None = None
    fly_machine_id: str | None = None
    gated_without_token: bool = False
    max_upload_bytes: int = 4 * 2**30
    max_requests: int = 896
    max_request_s: float = 0
    min_upload_bytes_s: float = 1024
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """`profiles` is None where they are turned off."""

    config: HttpConfig
    transcriber: StreamingTranscriber
    uploads: Uploads
    remote: RecordingRelay
    voices: Voices
    readiness: Readiness
    jobs: JobFrontend
    profiles: ProfileStore | None
    admission: Admission
    watch: Watch
    live: LiveService


def _given(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


Given = Annotated[Services, Depends(_given)]
"""The app's services, as a parameter of a route."""
