"""What the HTTP app stands on, without a graph behind it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from configs.settings import JobSettings, LiveSettings
from interchange.errors import RayscribeError
from interchange.files.blobs import BlobStore
from interchange.stages import (
    BlobSource,
    RecordingRelay,
    RemoteFile,
    Source,
    UrlSource,
    VoiceSample,
)
from interchange.transcript import Quality, Segment, Transcript, Turn, Word
from serve_app.http.intake.watch import StageWatch
from serve_app.http.services import HttpConfig, Services, StreamingTranscriber, Uploads
from serve_app.jobs.attended import WholeTranscriber
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.profiles import ProfileStore
from serve_app.live.service import LiveService
from serve_app.transcription.admission import Admission
from serve_app.transcription.events import (
    Event,
    Progress,
    SegmentReady,
    TranscriptReady,
    TurnsReady,
)
from serve_app.transcription.request import TranscriptionRequest
from tests.fakes.live import DETECTION, ClockRecognizer, LoudDiarizer, LoudIsSpeech
from tests.fakes.stages import HEARD

MODEL = "openai/whisper-tiny"


def segment(text: str, start: float, end: float, speaker: str | None = None) -> Segment:
    """A segment whose words share its time evenly."""
    parts = [f" {part}" for part in text.split()]
    step = (end - start) / max(1, len(parts))
    words = tuple(
        Word(part, start + index * step, start + (index + 1) * step, 0.9, speaker)
        for index, part in enumerate(parts)
    )
    return Segment(
        start, end, f" {text}", "en", tokens=(1, 2), avg_logprob=-0.2, words=words, speaker=speaker
    )


def transcript(*segments: Segment, turns: tuple[Turn, ...] | None = None) -> Transcript:
    duration = segments[-1].end + 0.5 if segments else 3.0
    return Transcript(
        segments=segments,
        language="en" if segments else "und",
        duration=duration,
        turns=turns,
        quality=Quality(transcribed=duration - 0.5 if segments else 0.0, silent=0.5),
    )


GREETING = transcript(segment("Hello there.", 0.0, 1.5), segment("How are you?", 2.0, 3.25))

DIALOGUE = transcript(
    segment("Hello there.", 0.0, 1.5, "SPEAKER_00"),
    segment("How are you?", 2.0, 3.25, "SPEAKER_01"),
    turns=(Turn(0.0, 1.6, "SPEAKER_00"), Turn(1.9, 3.3, "SPEAKER_01")),
)

TRUNCATED = replace(
    DIALOGUE,
    quality=replace(
        DIALOGUE.quality, notes=("The file ends after 3.8 s although it announces 60.0 s.",)
    ),
)

SILENCE = transcript()
SILENCE_WITH_SPEAKERS = transcript(turns=())


@dataclass
class FakeTranscriber:
    """Answers every request with one transcript, or with an error before or after its events.

    `heard` are the segments before anybody knows who speaks, and `turns` those before anybody has
    a name, where they differ.
    `forever` never answers: `started` and `stopped` say when the work began, and when it was
    given up.
    """

    result: Transcript = GREETING
    heard: tuple[Segment, ...] | None = None
    turns: tuple[Turn, ...] | None = None
    error: Exception | None = None
    late_error: Exception | None = None
    forever: bool = False
    requests: list[TranscriptionRequest] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def transcribe(self, request: TranscriptionRequest) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        self.started.set()
        try:
            if self.error is not None:
                raise self.error
            yield Progress(self.result.duration, 0.0, self.result.duration)
            if self.forever:
                await asyncio.Event().wait()
            for part in self.result.segments if self.heard is None else self.heard:
                yield SegmentReady(part)
                yield Progress(self.result.duration, part.end, self.result.duration)
            if self.late_error is not None:
                raise self.late_error
            turns = self.result.turns if self.turns is None else self.turns
            if turns is not None:
                yield TurnsReady(turns)
            yield TranscriptReady(self.result)
        finally:
            self.stopped.set()

    async def run(self, request: TranscriptionRequest) -> Transcript:
        async with aclosing(self.transcribe(request)) as events:
            async for event in events:
                if isinstance(event, TranscriptReady):
                    return event.transcript
        raise AssertionError("the events end with TranscriptReady")


@dataclass
class FakeUploads:
    """Keeps uploads in memory; `kept` has what was saved and not deleted."""

    kept: dict[str, bytes] = field(default_factory=dict)
    saved: list[tuple[str, int]] = field(default_factory=list)
    largest_chunk: int = 0
    error: RayscribeError | None = None

    async def save(self, chunks: AsyncIterable[bytes], name: str) -> BlobSource:
        if self.error is not None:
            raise self.error
        data = bytearray()
        async for chunk in chunks:
            self.largest_chunk = max(self.largest_chunk, len(chunk))
            data += chunk
        source = BlobSource(f"blob-{len(self.saved)}", name)
        self.saved.append((name, len(data)))
        self.kept[source.path] = bytes(data)
        return source

    async def delete(self, source: BlobSource) -> None:
        del self.kept[source.path]

    def open(self, source: BlobSource) -> BinaryIO:
        return BytesIO(self.kept[source.path])


@dataclass
class FakeRelay:
    """A remote server with one recording; `asked` has what was asked of it, `error` is what the
    call with the number `error_at` raises."""

    content: bytes = b""
    file: RemoteFile = field(default_factory=lambda: RemoteFile("audio/mpeg", None, ranged=False))
    error: RayscribeError | None = None
    error_at: int = 0
    asked: list[tuple[Source, int, int]] = field(default_factory=list)
    closed: int = 0

    def has(self, content: bytes, kind: str = "audio/mpeg", *, ranged: bool = True) -> None:
        self.content, self.file = content, RemoteFile(kind, len(content), ranged)

    async def relay(
        self, source: UrlSource, start: int, most: int
    ) -> AsyncGenerator[RemoteFile | bytes, None]:
        self.asked.append((source, start, most))
        if self.error is not None and len(self.asked) == self.error_at + 1:
            raise self.error
        try:
            yield self.file
            part = self.content[start : start + most]
            for at in range(0, len(part), 1 << 18):
                yield part[at : at + (1 << 18)]
                await asyncio.sleep(0)  # as a transfer does, where it can be cancelled
        finally:
            self.closed += 1


@dataclass
class FakeVoices:
    """Hears one voice in every recording, or an error; `asked` has what it was asked."""

    heard: VoiceSample = HEARD
    error: RayscribeError | None = None
    asked: list[tuple[Source, str, str]] = field(default_factory=list)

    async def learn(self, source: Source, name: str, param: str) -> VoiceSample:
        self.asked.append((source, name, param))
        if self.error is not None:
            raise self.error
        return self.heard


@dataclass
class FakeReadiness:
    state: Mapping[str, bool] = field(
        default_factory=lambda: {"AudioLoader": True, "SpeechRecognizer": True}
    )

    room: bool = True

    async def stages(self) -> Mapping[str, bool]:
        return self.state

    async def disk(self) -> bool:
        return self.room


def job_frontend(
    transcriber: WholeTranscriber,
    folder: Path,
    *,
    database: Database | None = None,
    notify: Callable[[], None] = lambda: None,
) -> JobFrontend:
    """The real one, over SQLite and blobs in a folder; it looks for changes all the time."""
    database = database or Database(f"sqlite:///{folder}/jobs.sqlite")
    blobs = BlobStore(f"file://{folder}/blobs")
    return JobFrontend(JobSettings(poll_s=0.01), database, blobs, transcriber, notify)


def live_service(settings: LiveSettings | None = None) -> LiveService:
    return LiveService(
        settings or LiveSettings(), ClockRecognizer(), LoudDiarizer(), LoudIsSpeech, DETECTION
    )


def services(
    jobs: JobFrontend,
    transcriber: StreamingTranscriber | None = None,
    uploads: Uploads | None = None,
    readiness: FakeReadiness | None = None,
    config: HttpConfig | None = None,
    voices: FakeVoices | None = None,
    live: LiveService | None = None,
    admission: Admission | None = None,
    remote: RecordingRelay | None = None,
    profiles: ProfileStore | None = None,
) -> Services:
    return Services(
        config=config or HttpConfig(model=MODEL),
        transcriber=transcriber or FakeTranscriber(),
        uploads=uploads or FakeUploads(),
        remote=remote or FakeRelay(),
        voices=voices or FakeVoices(),
        readiness=readiness or FakeReadiness(),
        jobs=jobs,
        profiles=profiles,
        admission=admission or Admission(30, 10),
        watch=StageWatch(readiness or FakeReadiness()),
        live=live or live_service(),
    )
