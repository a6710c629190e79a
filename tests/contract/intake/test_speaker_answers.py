"""What is answered of speakers beside their words, and what is asked of them in vain."""

import json
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes.services import DIALOGUE, FakeTranscriber

FILE = {"file": ("speech.wav", b"RIFF....", "audio/wav")}
URL = "https://example.com/a.mp3"
OPENAI = "/v1/audio/transcriptions"
VOICES = {"SPEAKER_00": (1.0, 0.0), "SPEAKER_01": (0.6, 0.8)}


@pytest.fixture(autouse=True)
def _dialogue(transcriber: FakeTranscriber) -> None:
    transcriber.result = replace(DIALOGUE, voices=VOICES)


def openai(client: TestClient, **fields: Any) -> Any:
    return client.post(OPENAI, data={"model": "whisper-1"} | fields, files=FILE)


@pytest.mark.parametrize(
    ("response_format", "names"),
    [("verbose_json", ["SPEAKER_00", "SPEAKER_01"]), ("diarized_json", ["A", "B"])],
)
def test_voices_in_openais_dialect(
    client: TestClient, transcriber: FakeTranscriber, response_format: str, names: list[str]
) -> None:
    fields = {"response_format": response_format, "speakers": "true"}
    answer = openai(client, **fields, speaker_embeddings="true")
    assert transcriber.requests[0].speaker_embeddings
    assert answer.json()["speaker_embeddings"] == dict(
        zip(names, map(list, VOICES.values()), strict=True)
    )
    transcriber.result = DIALOGUE
    answer = openai(client, **fields)
    assert not transcriber.requests[1].speaker_embeddings
    assert "speaker_embeddings" not in answer.json()


def test_voices_at_the_end_of_a_stream_with_progress(client: TestClient) -> None:
    fields = {"response_format": "diarized_json", "stream": "true", "progress": "true"}
    answer = openai(client, **fields, speaker_embeddings="true")
    done = json.loads(answer.text.split("\n\n")[-3].removeprefix("data: "))
    assert done["output"]["speaker_embeddings"] == {"A": [1.0, 0.0], "B": [0.6, 0.8]}


def test_voices_in_the_original_dialect(client: TestClient, transcriber: FakeTranscriber) -> None:
    body = {"url": URL, "diarise_audio": True, "speaker_embeddings": True}
    output = client.post("/", json=body).json()["output"]
    assert transcriber.requests[0].speaker_embeddings
    assert output["speaker_embeddings"] == {who: list(voice) for who, voice in VOICES.items()}


def test_voices_of_a_job_are_asked_for(client: TestClient) -> None:
    body = {"url": URL, "speakers": True, "speaker_embeddings": True}
    assert client.post("/v1/jobs", json=body).json()["options"]["speaker_embeddings"] is True


def test_who_talks_how_long_and_at_once(client: TestClient) -> None:
    fields = {"timestamp_granularities[]": ["word", "segment"], "speakers": "true"}
    answer = openai(client, response_format="verbose_json", **fields).json()
    assert answer["speaker_seconds"] == {"SPEAKER_00": 1.6, "SPEAKER_01": 1.4}
    assert {each["overlap"] for each in answer["words"] + answer["segments"]} == {False}
    query = "/asr?output=json&diarize=true&word_timestamps=true"
    (first, _) = client.post(query, files={"audio_file": FILE["file"]}).json()["segments"]
    assert (first["overlap"], first["words"][0]["overlap"]) == (False, False)


# Options that contradict each other or cannot be: the field at fault.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"num_speakers": 0}, "num_speakers"),
    ({"num_speakers": 101}, "num_speakers"),
    ({"num_speakers": "two"}, "num_speakers"),
    ({"num_speakers": -1}, "num_speakers"),
    ({"min_speakers": 3, "max_speakers": 2}, "min_speakers"),
    ({"num_speakers": 2, "min_speakers": 3}, "num_speakers"),
    ({"num_speakers": 4, "max_speakers": 3}, "num_speakers"),
    ({"channels": "left"}, "channels"),
    ({"channels": 2}, "channels"),
    ({"speaker_embeddings": "perhaps"}, "speaker_embeddings"),
]


@pytest.mark.parametrize(("options", "param"), WRONG, ids=str)
def test_what_cannot_be_asked_of_speakers(
    client: TestClient, options: dict[str, Any], param: str
) -> None:
    """A client's fault with a sentence, and no work, in every dialect."""
    fields = {name: str(value) for name, value in options.items()}
    answer = openai(client, response_format="diarized_json", **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    answer = client.post("/v1/jobs", json={"url": URL, "speakers": True} | options)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
    answer = client.post("/", json={"url": URL, "diarise_audio": True} | options)
    assert answer.status_code == 422
    assert param in answer.text
    if param != "speaker_embeddings":
        answer = client.post("/asr", params=fields, files={"audio_file": FILE["file"]})
        assert answer.status_code == 422
        assert param in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "json", "speakers": "true"},
        {"response_format": "verbose_json"},
        {"response_format": "srt", "speakers": "true"},
        {"response_format": "diarized_json", "stream": "true"},
    ],
)
def test_voices_have_no_place_everywhere(client: TestClient, fields: dict[str, str]) -> None:
    answer = openai(client, speaker_embeddings="true", **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "speaker_embeddings"


@pytest.mark.parametrize("option", ["num_speakers", "speaker_names", "speaker_embeddings"])
def test_a_job_without_speakers_takes_no_options_of_theirs(client: TestClient, option: str) -> None:
    value = {"num_speakers": 2, "speaker_names": ["Ann"], "speaker_embeddings": True}[option]
    answer = client.post("/v1/jobs", json={"url": URL, option: value})
    assert answer.status_code == 422
    assert "needs 'speakers'" in answer.json()["error"]["message"]
