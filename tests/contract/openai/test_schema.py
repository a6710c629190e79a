"""Every answer against a schema written from the contract of OpenAI's API, in strict mode.

What is not in that API and documented as such may be there; nothing else may.
"""

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.testclient import TestClient

from interchange.errors import QueueFull, UndecodableRecording
from interchange.transcript import Token, Transcript
from tests.fakes.services import DIALOGUE, GREETING, SILENCE, TRUNCATED, FakeTranscriber

ROUTE = "/v1/audio/transcriptions"
FILES = {"file": ("speech.wav", b"RIFF....", "audio/wav")}


class Exact(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Duration(Exact):
    type: Literal["duration"]
    seconds: float


class Tokens(Exact):
    type: Literal["tokens"]
    input_tokens: int
    output_tokens: int
    total_tokens: int
    seconds: float  # not in OpenAI's API


class Logprob(Exact):
    token: str
    logprob: float
    bytes: list[int]


class Language(Exact):
    code: str


class WithNotes(Exact):
    notes: list[str] = []  # not in OpenAI's API


class Json(WithNotes):
    text: str
    languages: list[Language]
    logprobs: list[Logprob] | None = None
    usage: Duration


class Word(Exact):
    word: str
    start: float
    end: float


class Segment(Exact):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class Verbose(Exact):
    task: Literal["transcribe", "translate"]
    language: str = Field(pattern=r"^[a-z ]+$")
    duration: float
    text: str
    words: list[Word] | None = None
    segments: list[Segment] | None = None
    usage: Duration
    quality: dict[str, Any]  # not in OpenAI's API


class DiarizedSegment(Exact):
    type: Literal["transcript.text.segment"]
    id: str = Field(pattern=r"^seg_\d{3,}$")
    start: float
    end: float
    text: str
    speaker: str = Field(pattern=r"^[A-Z]+$")


class Diarized(WithNotes):
    task: Literal["transcribe"]
    duration: float
    text: str
    segments: list[DiarizedSegment]
    usage: Duration


class Delta(Exact):
    type: Literal["transcript.text.delta"]
    delta: str = Field(min_length=1)
    segment_id: str | None = None
    logprobs: list[Logprob] | None = None


class Done(WithNotes):
    type: Literal["transcript.text.done"]
    text: str
    languages: list[Language]
    logprobs: list[Logprob] | None = None
    usage: Tokens


class ErrorBody(Exact):
    message: str = Field(pattern=r"\.$")
    type: Literal["invalid_request_error", "server_error", "rate_limit_error"]
    param: str | None
    code: str | None


class Error(Exact):
    error: ErrorBody


EVENT: TypeAdapter[Delta | DiarizedSegment | Done] = TypeAdapter(
    Annotated[Delta | DiarizedSegment | Done, Field(discriminator="type")]
)


def spelled(result: Transcript) -> Transcript:
    segments = [replace(each, spelled=(Token((65,), -0.5),)) for each in result.segments]
    return replace(result, segments=tuple(segments))


@pytest.mark.parametrize(
    "result", [GREETING, SILENCE, spelled(GREETING), replace(TRUNCATED, turns=None)]
)
@pytest.mark.parametrize(
    ("schema", "fields"),
    [
        (Json, {}),
        (Json, {"include[]": "logprobs"}),
        (Verbose, {"response_format": "verbose_json"}),
        (
            Verbose,
            {
                "response_format": "verbose_json",
                "timestamp_granularities[]": ["word", "segment"],
            },
        ),
        (Diarized, {"response_format": "diarized_json"}),
    ],
)
def test_whole_answers(
    client: TestClient,
    transcriber: FakeTranscriber,
    result: Transcript,
    schema: type[Exact],
    fields: dict[str, Any],
) -> None:
    parts = tuple(replace(each, speaker=None, words=()) for each in result.segments)
    transcriber.result = replace(result, segments=parts)
    answer = client.post(ROUTE, data={"model": "whisper-1"} | fields, files=FILES)
    schema.model_validate_json(answer.content)


@pytest.mark.parametrize("result", [GREETING, SILENCE, spelled(GREETING), DIALOGUE, TRUNCATED])
@pytest.mark.parametrize(
    "fields", [{}, {"include[]": "logprobs"}, {"response_format": "diarized_json"}]
)
def test_streams(
    client: TestClient, transcriber: FakeTranscriber, result: Transcript, fields: dict[str, str]
) -> None:
    transcriber.result = result
    asked = {"model": "whisper-1", "stream": "true"} | fields
    *lines, end = client.post(ROUTE, data=asked, files=FILES).text.strip().split("\n\n")
    assert end == "data: [DONE]"
    events = [EVENT.validate_json(line.removeprefix("data: ")) for line in lines]
    deltas = [event for event in events if isinstance(event, Delta)]
    done = events[-1]
    assert isinstance(done, Done)
    assert "".join(delta.delta for delta in deltas) == done.text
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
    numbers = [event.id for event in events if isinstance(event, DiarizedSegment)]
    if fields.get("response_format") == "diarized_json":
        assert [delta.segment_id for delta in deltas] == numbers
    else:
        assert not numbers


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": "whisper-9"}, None),
        ({"temperature": "hot"}, None),
        ({}, UndecodableRecording("It is not audio.")),
        ({}, QueueFull("Too much waits.", 3)),
        ({}, KeyError("a secret")),
    ],
)
def test_errors(
    client: TestClient,
    transcriber: FakeTranscriber,
    fields: dict[str, str],
    error: Exception | None,
) -> None:
    transcriber.error = error
    answer = client.post(ROUTE, data={"model": "whisper-1"} | fields, files=FILES)
    assert answer.is_error
    body = Error.model_validate_json(answer.content)
    assert json.loads(answer.content)["error"].keys() == body.error.model_dump().keys()
