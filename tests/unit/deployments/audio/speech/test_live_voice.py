import numpy as np
import pytest

from deployments.audio.decode import Decoder
from deployments.audio.speech.live_voice import LiveVoice
from deployments.audio.speech.voice_activity import FRAME, SileroNetwork, VoiceActivity
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.speech import SAMPLE


@pytest.fixture(scope="module")
def speech() -> Float32:
    with SAMPLE.open("rb") as file:
        samples: Float32 = np.concatenate(list(Decoder(file, max_duration_s=60)))
    return samples[: len(samples) - len(samples) % LiveVoice.step]


def _live(samples: Float32, steps: int = 1) -> Float32:
    voice = LiveVoice()
    size = steps * voice.step
    return np.array(
        [p for at in range(0, len(samples), size) for p in voice(samples[at : at + size])]
    )


def test_hears_live_what_it_hears_in_a_file(speech: Float32) -> None:
    activity = VoiceActivity(SileroNetwork())
    frames = [*activity.feed(speech), *activity.flush()]
    whole = np.concatenate([each.probabilities for each in frames]) >= 0.5
    live = _live(speech) >= 0.5
    assert len(live) == len(speech) // FRAME
    assert (whole[: len(live)] == live).mean() > 0.95


@pytest.mark.parametrize("steps", [2, 5, 1000])
def test_however_much_comes_at_once_it_is_the_same(speech: Float32, steps: int) -> None:
    assert (_live(speech, steps) == _live(speech)).all()


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.05])
def test_neither_silence_nor_noise_is_speech(level: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1, 10 * SAMPLE_RATE // FRAME // 2 * 2 * FRAME)
    assert (_live((level * noise).astype(np.float32)) >= 0.5).mean() < 0.02
