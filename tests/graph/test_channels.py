"""A call with a person a channel, on the real graph."""

from tests.support.hard import word_errors
from tests.support.service import Service
from tests.support.speech import SPEECH, needs_speech

CALL = SPEECH / "conversation" / "mix2_phone_stereo_8k.flac"


@needs_speech
def test_each_channel_is_a_speaker(running_service: Service) -> None:
    with running_service.client() as client:
        answer = client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "diarized_json", "channels": "separate"},
            files={"file": (CALL.name, CALL.read_bytes())},
        ).json()
    segments = answer["segments"]
    assert [each["start"] for each in segments] == sorted(each["start"] for each in segments)
    said: dict[str, list[str]] = {}
    for line in CALL.with_suffix(".stm").read_text().splitlines():
        fields = line.split(maxsplit=5)
        said.setdefault(fields[2], []).append(fields[5])
    heard = {
        speaker: " ".join(each["text"] for each in segments if each["speaker"] == speaker)
        for speaker in ("A", "B")
    }
    for reference, found in zip(said.values(), heard.values(), strict=True):
        assert word_errors(" ".join(reference), found) < 0.2
