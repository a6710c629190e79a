"""`channels`, in every dialect."""

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


def test_the_other_dialects(client: TestClient, transcriber: FakeTranscriber) -> None:
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
