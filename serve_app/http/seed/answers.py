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
    speaker: str = Field(examples=["SPEAKER_00"], description="Who says it.")


class Output(BaseModel):
    text: str = Field(description="The whole text.")
    chunks: list[Chunk] = Field(description="Segments, or words with `timestamp: word`.")
    speakers: list[SpeakerChunk] | None = Field(
        None, description="The chunks by speaker; only with `diarise_audio`."
    )
    speaker_embeddings: dict[str, list[float]] | None = Field(
        None, description="The voice of each speaker; only with `speaker_embeddings`."
    )
    notes: list[str] | None = Field(
        None,
        description="Only where something of the recording is missing, or its channels were "
        "recognized separately: that.",
    )


class Completed(BaseModel):
    output: Output = Field(description="What was found.")
    status: Literal["completed"] = Field("completed", description="Always `completed`.")
    task_id: str = Field(description="The id that was sent, or one of ours.")
    fly_machine_id: str | None = Field(
        None, description="Only where the service has `FLY_MACHINE_ID` in its environment."
    )


class Accepted(BaseModel):
    detail: Literal["Task is being processed in the background"] = Field(
        "Task is being processed in the background", description="The original's sentence."
    )
    status: Literal["processing"] = Field("processing", description="Always `processing`.")
    task_id: str = Field(description="The name for `/status` and `/cancel`.")
    fly_machine_id: str | None = Field(None, description="The machine, where one is named.")


class TaskStatus(BaseModel):
    """`processing`; `completed` with `output`; `error` with `error`; `cancelled`."""

    status: Literal["processing", "completed", "error", "cancelled"] = Field(
        description="How the task stands."
    )
    output: Output | None = Field(None, description="Of a completed task: what was found.")
    error: str | None = Field(None, description="Of a failed task: why.")


class TaskList(BaseModel):
    tasks: list[str] = Field(description="The ids of the tasks that are not finished.")


class Announcement(BaseModel):
    """The body of a webhook."""

    output: Output | None = Field(None, description="Of a completed task: what was found.")
    error: str | None = Field(None, description="Of another: why.")
    status: Literal["completed", "error"] = Field(description="How the task ended.")
    task_id: str = Field(description="Which task.")
    fly_machine_id: str | None = Field(None, description="The machine, where one is named.")


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
        speaker_embeddings={who: list(voice) for who, voice in transcript.voices.items()} or None,
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
