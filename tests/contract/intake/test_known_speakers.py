"""Speakers that a request knows, in every dialect that takes them."""

import base64
import json
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from interchange.errors import InvalidOption
from interchange.stages import UrlSource, Voice
from interchange.transcript import Turn
from tests.fakes.services import FakeTranscriber, FakeUploads, FakeVoices, segment, transcript

FILE = ("speech.wav", b"RIFF....", "audio/wav")
SOUND = b"RIFF, or so"
DATA_URL = f"data:audio/wav;base64,{base64.b64encode(SOUND).decode()}"
PARTY = transcript(
    segment("Hello there.", 0.0, 1.5, "SPEAKER_00"),
    segment("How are you?", 2.0, 3.0, "Ann"),
    segment("Fine.", 3.0, 4.0, "SPEAKER_01"),
    turns=(Turn(0.0, 1.5, "SPEAKER_00"), Turn(2.0, 3.0, "Ann"), Turn(3.0, 4.0, "SPEAKER_01")),
)


def openai(client: TestClient, names: list[str], references: list[str], **fields: Any) -> Any:
    data = {
        "model": "whisper-1",
        "response_format": "diarized_json",
        "known_speaker_names[]": names,
        "known_speaker_references[]": references,
    }
    return client.post("/v1/audio/transcriptions", data=data | fields, files={"file": FILE})


def job(client: TestClient, known: Any, **options: Any) -> httpx2.Response:
    body = {"url": "https://example.com/a.mp3", "speakers": True, "known_speakers": known}
    return client.post("/v1/jobs", json=body | options)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_openai_names_those_it_knows_and_gives_strangers_letters(
    client: TestClient,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    voices: FakeVoices,
    stream: str,
) -> None:
    transcriber.result = PARTY
    answer = openai(client, ["Ann", "A"], [DATA_URL, DATA_URL], stream=stream)
    assert answer.status_code == 200
    if stream == "true":
        lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
        events = [json.loads(line) for line in lines[:-1]]
        said = [each for each in events if each["type"] == "transcript.text.segment"]
    else:
        said = answer.json()["segments"]
    assert [each["speaker"] for each in said] == ["B", "Ann", "C"], "A is somebody's name"
    known = transcriber.requests[0].diarization.known
    assert known == (Voice("Ann", ((1.0, 0.0),), "model"), Voice("A", ((1.0, 0.0),), "model"))
    assert [name for _, name, _ in voices.asked] == ["Ann", "A"]
    assert ("reference", len(SOUND)) in uploads.saved
    assert not uploads.kept, "references go as soon as they were heard"


@pytest.mark.parametrize(
    ("names", "references", "param", "said"),
    [
        (["Ann", "Bo"], [DATA_URL], "known_speaker_names", "one reference for each name"),
        (["Ann"], [DATA_URL] * 2, "known_speaker_references", "one reference for each name"),
        (["Ann", "ann"], [DATA_URL] * 2, "known_speaker_names", "another name"),
        (["1", "2", "3", "4", "5"], [DATA_URL] * 5, "known_speaker_names", "at most 4"),
        (["SPEAKER_00"], [DATA_URL], "known_speaker_names", "take another"),
        (["two\nlines"], [DATA_URL], "known_speaker_names", "one line"),
        (["Ann"], ["ann.wav"], "known_speaker_references", "data URL"),
        (["Ann"], ["data:audio/wav;base64,!"], "known_speaker_references", "base64"),
    ],
)
def test_what_openai_cannot_know(
    client: TestClient,
    uploads: FakeUploads,
    names: list[str],
    references: list[str],
    param: str,
    said: str,
) -> None:
    answer = openai(client, names, references)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert said in answer.json()["error"]["message"]
    assert not uploads.kept


def test_known_speakers_are_of_use_where_speakers_are_told_apart(client: TestClient) -> None:
    answer = openai(client, ["Ann"], [DATA_URL], response_format="json")
    assert answer.status_code == 400
    assert "diarized_json" in answer.json()["error"]["message"]
    asked = openai(client, ["Ann"], [DATA_URL], response_format="srt", speakers="true")
    assert asked.status_code == 200


def test_a_reference_that_nothing_can_be_heard_in(
    client: TestClient, voices: FakeVoices, uploads: FakeUploads, transcriber: FakeTranscriber
) -> None:
    voices.error = InvalidOption("Nobody speaks.", "known_speaker_references")
    answer = openai(client, ["Ann"], [DATA_URL], stream="true")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "known_speaker_references"
    assert not uploads.kept
    assert not transcriber.requests


def test_a_job_keeps_voices_and_shows_names(client: TestClient, voices: FakeVoices) -> None:
    known = [{"name": "Ann", "references": [DATA_URL, "https://example.com/ann.wav"]}]
    accepted = job(client, known)
    assert accepted.status_code == 202
    assert accepted.json()["options"]["known_speakers"] == ["Ann"]
    assert [param for _, _, param in voices.asked] == ["known_speakers"] * 2
    assert voices.asked[1][0] == UrlSource("https://example.com/ann.wav")
    form = {"speakers": "true", "known_speakers": json.dumps(known)}
    uploaded = client.post("/v1/jobs", data=form, files={"file": FILE})
    assert uploaded.json()["options"]["known_speakers"] == ["Ann"]


@pytest.mark.parametrize(
    "known",
    [
        [{"name": "Ann", "references": []}],
        [{"name": "Ann", "references": [DATA_URL] * 6}],
        [{"name": "Ann"}],
        [{"name": "Ann", "references": [DATA_URL]}] * 2,
        [{"name": str(number), "references": [DATA_URL]} for number in range(21)],
        [{"name": "Ann", "references": ["data:,"], "age": 3}],
        "Ann",
    ],
)
def test_what_a_job_cannot_know(client: TestClient, uploads: FakeUploads, known: Any) -> None:
    assert job(client, known).status_code == 422
    form = {"speakers": "true", "known_speakers": json.dumps(known)}
    assert client.post("/v1/jobs", data=form, files={"file": FILE}).status_code == 422
    assert not uploads.kept


def test_a_job_without_speakers_knows_none(client: TestClient) -> None:
    answer = job(client, [{"name": "Ann", "references": [DATA_URL]}], speakers=False)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "known_speakers")


def test_the_original_dialect_takes_them_too(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    transcriber.result = PARTY
    body = {
        "url": "https://example.com/a.mp3",
        "diarise_audio": True,
        "known_speakers": [{"name": "Ann", "references": [DATA_URL]}],
    }
    answer = client.post("/", json=body)
    assert [each["speaker"] for each in answer.json()["output"]["speakers"]] == [
        "SPEAKER_00",
        "Ann",
        "SPEAKER_01",
    ]
    assert transcriber.requests[0].known_speakers[0].name == "Ann"
    assert client.post("/", json=body | {"diarise_audio": False}).status_code == 422
