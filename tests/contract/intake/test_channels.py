"""`channels`, in every dialect."""

import json
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from tests.fakes.services import DIALOGUE, FakeTranscriber

FILE = {"file": ("speech.wav", b"RIFF....", "audio/wav")}
URL = "https://example.com/a.mp3"


@pytest.mark.parametrize("stream", ["false", "true"])
def test_segments_of_channels_have_their_speakers_at_once(
    client: TestClient, transcriber: FakeTranscriber, stream: str
) -> None:
    transcriber.result = DIALOGUE
    data = {"model": "whisper-1", "response_format": "diarized_json", "stream": stream}
    answer = client.post(
        "/v1/audio/transcriptions", data=data | {"channels": "separate"}, files=FILE
    )
    assert answer.status_code == 200
    assert transcriber.requests[0].channels == "separate"
    body = answer.text.replace(" ", "")
    assert body.count('"speaker":"A"') == body.count('"speaker":"B"') == 1


def test_segments_of_channels_wait_for_those_of_the_mix_before_them(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    """Where a part of a recording is mixed, who speaks there is known in the end."""
    mixed, by_channel = DIALOGUE.segments
    transcriber.result = replace(DIALOGUE, turns=None)
    transcriber.heard = (replace(mixed, speaker=None), by_channel)
    data = {"model": "whisper-1", "response_format": "diarized_json", "stream": "true"}
    answer = client.post("/v1/audio/transcriptions", data=data, files=FILE)
    events = [json.loads(each[6:]) for each in answer.text.split("\n\n")[:-2]]
    said = [each for each in events if each["type"] == "transcript.text.segment"]
    assert [(each["id"], each["speaker"], each["text"]) for each in said] == [
        ("seg_001", "A", "Hello there."),
        ("seg_002", "B", "How are you?"),
    ]
    deltas = [each["delta"] for each in events if each["type"] == "transcript.text.delta"]
    assert "".join(deltas) == "Hello there. How are you?"


def test_the_other_dialects(client: TestClient, transcriber: FakeTranscriber) -> None:
    client.post("/", json={"url": URL})
    client.post("/asr", files={"audio_file": FILE["file"]})
    assert [request.channels for request in transcriber.requests] == ["auto"] * 2
    transcriber.requests.clear()
    client.post("/", json={"url": URL, "channels": "separate"})
    client.post("/asr?channels=separate", files={"audio_file": FILE["file"]})
    assert [request.channels for request in transcriber.requests] == ["separate"] * 2
    accepted = client.post("/v1/jobs", json={"url": URL, "channels": "separate"})
    assert accepted.json()["options"]["channels"] == "separate"


def test_other_values(client: TestClient) -> None:
    data = {"model": "whisper-1", "channels": "both"}
    assert client.post("/v1/audio/transcriptions", data=data, files=FILE).status_code == 400
    assert client.post("/v1/jobs", json={"url": URL, "channels": "both"}).status_code == 422
    assert client.post("/", json={"url": URL, "channels": "both"}).status_code == 422
