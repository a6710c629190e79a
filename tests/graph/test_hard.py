"""Recordings that break services: odd codecs, silence, noise, damage, hostile files."""

import pytest

from tests.support.recordings.hard import fault
from tests.support.recordings.speech import Recording, needs_speech, recordings
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service

BEYOND_THE_MODEL = {
    "digit_5_jackson_8k.wav": "0.4 s of telephone speech: Whisper base hears «Bye.» for «five»",
}
"""Words that the bundled model gets wrong in whatever way it is run."""


def cases() -> list[object]:
    return [
        pytest.param(
            each,
            id=each.name,
            marks=[pytest.mark.xfail(reason=BEYOND_THE_MODEL[each.name], strict=True)]
            if each.name in BEYOND_THE_MODEL
            else [],
        )
        for each in recordings("hard")
    ]


@needs_speech
@pytest.mark.parametrize("recording", cases())
def test_uploaded(running_service: Service, recording: Recording) -> None:
    with running_service.client() as client, recording.path.open("rb") as file:
        answer = client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "response_format": "verbose_json", "speakers": "true"},
            files={"file": (recording.name, file)},
        )
    assert fault(recording, answer) is None


@needs_speech
@pytest.mark.parametrize("recording", cases())
def test_by_url(
    running_service: Service, recordings_server: RemoteServer, recording: Recording
) -> None:
    with running_service.client() as client:
        answer = client.post(
            "/v1/audio/transcriptions",
            data={
                "model": "whisper-1",
                "response_format": "verbose_json",
                "url": recordings_server.file(recording.path),
            },
        )
    assert fault(recording, answer) is None


@needs_speech
def test_the_service_is_as_healthy_as_before(running_service: Service) -> None:
    """Each hostile file was answered by replicas that are still there."""
    with running_service.client() as client:
        assert client.get("/ready").status_code == 200
    assert len(running_service.replicas("AudioLoader")) == 1
