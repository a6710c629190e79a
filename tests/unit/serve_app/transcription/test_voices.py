from dataclasses import replace

import pytest

from interchange.errors import InvalidOption, QueueFull, UndecodableRecording
from interchange.stages import UrlSource, VoiceSample
from serve_app.transcription.voices import VoiceReader
from tests.fakes.stages import HEARD, FakeDiarizer, FakeLoader, window

SOURCE = UrlSource("https://example.com/ann.wav")


async def learn(
    heard: VoiceSample = HEARD, windows: int = 1, error: Exception | None = None
) -> VoiceSample:
    loader = FakeLoader([window(index) for index in range(windows)], error)
    diarizer = FakeDiarizer(heard=heard)
    found = await VoiceReader(loader, diarizer).learn(SOURCE, "Ann", "known_speakers")
    assert loader.closed
    assert diarizer.heard_seconds == [windows * 10]
    return found


async def test_all_of_a_recording_is_heard() -> None:
    assert await learn(windows=3) == HEARD


@pytest.mark.parametrize(
    ("heard", "windows", "error", "said"),
    [
        (replace(HEARD, seconds=0.05), 1, None, "0.1 s of speech"),
        (replace(HEARD, several=True), 1, None, "More than one person"),
        (HEARD, 7, None, "longer than 60 s"),
        (HEARD, 0, UndecodableRecording("It is no audio."), "cannot be used: It is no audio"),
    ],
)
async def test_recordings_that_no_voice_can_be_learned_from(
    heard: VoiceSample, windows: int, error: Exception | None, said: str
) -> None:
    with pytest.raises(InvalidOption, match=said) as caught:
        await learn(heard, windows, error)
    assert caught.value.param == "known_speakers"
    assert "'Ann'" in caught.value.message


async def test_a_full_queue_is_no_fault_of_the_recording() -> None:
    with pytest.raises(QueueFull):
        await learn(windows=0, error=QueueFull("Too much waits.", 5))
