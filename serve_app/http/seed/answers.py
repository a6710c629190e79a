"""A transcript in the shapes of insanely-fast-whisper-api."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from interchange.transcript import Segment, Transcript, Word
from serve_app.jobs.job import Job

Timestamp = tuple[float, float | None]


class Chunk(BaseModel):
    timestamp: Timestamp = Field(description="Start and end in seconds.")
    text: str = Field(description="Whisper's text, with its leading space.")


class SpeakerChunk(Chunk):
    speaker: str = Field(examples=["SPEAKER_00"])


class Output(BaseModel):
    text: str
    chunks: list[Chunk] = Field(description="Segments, or words with `timestamp: word`.")
    speakers: list[SpeakerChunk] | None = Field(
        None, description="The chunks by speaker; only with `diarise_audio`."
    )
    notes: list[str] | None = Field(
        None, description="Only where something of the recording is missing: what."
    )


class Completed(BaseModel):
    output: Output
    status: Literal["completed"] = "completed"
    task_id: str
    fly_machine_id: str | None = Field(
        None, description="Only where the service has `FLY_MACHINE_ID` in its environment."
    )


class Accepted(BaseModel):
    detail: Literal["Task is being processed in the background"] = (
        "Task is being processed in the background"
    )
    status: Literal["processing"] = "processing"
    task_id: str
    fly_machine_id: str | None = None


class TaskStatus(BaseModel):
    """`processing`; `completed` with `output`; `error` with `error`; `cancelled`."""

    status: Literal["processing", "completed", "error", "cancelled"]
    output: Output | None = None
    error: str | None = None


class TaskList(BaseModel):
    tasks: list[str] = Field(description="The ids of the tasks that are not finished.")


class Announcement(BaseModel):
    """The body of a webhook."""

    output: Output | None = None
    error: str | None = None
    status: Literal["completed", "error"]
    task_id: str
    fly_machine_id: str | None = None


def webhook_body(job: Job, transcript: Transcript | None, *, fly_machine_id: str | None) -> str:
    """How the end of a job is announced: the original's body, for tasks and jobs alike."""
    if transcript is not None:
        result = output(transcript, words=job.request.words)
        body = Announcement(output=result, status="completed", task_id=job.task_id)
    else:
        message = job.failure.message if job.failure else "The result is no longer stored."
        body = Announcement(error=message, status="error", task_id=job.task_id)
    body.fly_machine_id = fly_machine_id
    return body.model_dump_json(exclude_none=True)


def output(transcript: Transcript, *, words: bool) -> Output:
    """The `output` of a finished task; `words` gives one chunk a word."""
    pieces = transcript.words if words else transcript.segments
    return Output(
        text=transcript.text,
        chunks=[Chunk(timestamp=_timestamp(piece), text=piece.text) for piece in pieces],
        speakers=None if transcript.turns is None else _with_speakers(pieces),
        notes=list(transcript.quality.notes) or None,
    )


def _with_speakers(pieces: Sequence[Segment] | Sequence[Word]) -> list[SpeakerChunk]:
    # Without a speaker are only the pieces of a recording in which diarization heard nobody.
    return [
        SpeakerChunk(speaker=piece.speaker, timestamp=_timestamp(piece), text=piece.text)
        for piece in pieces
        if piece.speaker is not None
    ]


def _timestamp(piece: Segment | Word) -> Timestamp:
    return round(piece.start, 3), round(piece.end, 3)
