"""A transcript in the shapes of insanely-fast-whisper-api."""

from collections.abc import Iterator
from itertools import groupby
from typing import Literal

from pydantic import BaseModel, Field

from serve_app.transcription.transcript import Segment, Transcript, Word

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


def output(transcript: Transcript, *, words: bool) -> Output:
    """The `output` of a finished task; `words` gives one chunk a word."""
    pieces = transcript.words if words else transcript.segments
    return Output(
        text=transcript.text,
        chunks=[Chunk(timestamp=_timestamp(piece), text=piece.text) for piece in pieces],
        speakers=None if transcript.turns is None else list(_by_speaker(transcript, words=words)),
    )


def _timestamp(piece: Segment | Word) -> Timestamp:
    return round(piece.start, 3), round(piece.end, 3)


def _by_speaker(transcript: Transcript, *, words: bool) -> Iterator[SpeakerChunk]:
    for segment in transcript.segments:
        for speaker, run in _runs(segment, words=words):
            # Nobody is named where diarization heard no one; the text is in the chunks.
            if speaker is not None:
                yield SpeakerChunk(
                    speaker=speaker,
                    timestamp=(round(run[0].start, 3), round(run[-1].end, 3)),
                    text="".join(piece.text for piece in run),
                )


def _runs(
    segment: Segment, *, words: bool
) -> Iterator[tuple[str | None, tuple[Segment, ...] | tuple[Word, ...]]]:
    """A segment by speaker: whole, cut where the speaker changes, or word by word."""
    if words:
        yield from ((word.speaker, (word,)) for word in segment.words)
    elif len({word.speaker for word in segment.words}) <= 1:
        yield segment.speaker, (segment,)
    else:
        for speaker, run in groupby(segment.words, key=lambda word: word.speaker):
            yield speaker, tuple(run)
