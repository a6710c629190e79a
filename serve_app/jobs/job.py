"""What a job is, as the rest of the service sees it. Times are Unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from interchange.stages import BlobSource
from interchange.transcript import Quality
from serve_app.jobs.delivery import WebhookTarget
from serve_app.transcription.events import Resume
from serve_app.transcription.request import TranscriptionRequest

JobStatus = Literal["queued", "running", "completed", "failed", "cancelled"]

ENDED: tuple[JobStatus, ...] = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job has no transcript: the sentence, and the HTTP status and code of its error."""

    message: str
    status: int
    code: str


CANCELLED = Failure("Task Cancelled", 409, "cancelled")
"""The words are the original service's: its clients test for them in the webhook."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to accept.

    `task_id` is the name in the original's dialect, unique among live jobs; the job's own id
    is `request.id`. `fingerprint` tells whether a repeated request is the same one. `metadata`
    is the client's own, kept and given back unread. `key` is the name of the key that made it,
    empty for the operator's: `task_id` and `idempotency_key` are that key's own.
    """

    request: TranscriptionRequest
    task_id: str
    fingerprint: str
    webhook: WebhookTarget | None = None
    idempotency_key: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job without its transcript.

    `attended` says that a client waits for it: it belongs to the replica that serves that
    client, and no runner takes it. `attempts` counts tries since the last checkpoint.
    `loaded`, `recognized` and `duration` are seconds of the recording; `windows` is how many
    windows were ever computed and kept. `due_at` is when a runner may take it: the next try of
    a queued job, the end of the lease of a running one, None once it has ended.
    """

    id: str
    task_id: str
    attended: bool
    status: JobStatus
    request: TranscriptionRequest
    fingerprint: str
    webhook: WebhookTarget | None
    metadata: Mapping[str, str]
    created_at: float
    started_at: float | None
    ended_at: float | None
    expires_at: float | None
    due_at: float | None
    fence: int
    attempts: int
    loaded: float
    recognized: float
    duration: float | None
    windows: int
    language: str | None
    quality: Quality | None
    stage_seconds: Mapping[str, float]
    failure: Failure | None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def name(self) -> str:
        """What the recording is called: the name of its file, or the end of its address.

        Of an address nothing else: what stands behind a `?` is often a secret.
        """
        source = self.request.source
        if isinstance(source, BlobSource):
            return source.name
        address = urlsplit(source.url)
        return unquote(address.path.rstrip("/").rpartition("/")[2]) or address.hostname or ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job under a lease, with what earlier tries finished.

    `job.fence` is the fencing token (Kleppmann, "How to do distributed locking", 2016): each
    claim raises it, and a write that carries an older one fails.
    """

    job: Job
    owner: str
    resume: Resume


@dataclass(frozen=True, slots=True)
class JobUsage:
    """Of one key: how many jobs have not ended, and the seconds of audio that were recognized of
    those that were accepted within a day."""

    waiting: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs, newest first; `cursor` leads to the next page, None after the last."""

    jobs: tuple[Job, ...]
    cursor: str | None
