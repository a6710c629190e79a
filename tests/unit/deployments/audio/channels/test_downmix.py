import numpy as np
import pytest

from deployments.audio.channels.downmix import Downmix
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.media import tone

RNG = np.random.default_rng(1)


def voice(seconds: float = 4.0) -> Float32:
    return (0.1 * RNG.standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


def mix(*channels: Float32) -> Float32:
    downmix = Downmix(len(channels))
    planes = np.stack(channels)
    seconds = range(0, planes.shape[1], SAMPLE_RATE)
    return np.concatenate([downmix(planes[:, i : i + SAMPLE_RATE]) for i in seconds])


def level(samples: Float32) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def test_like_channels_are_averaged() -> None:
    left, right = voice(), voice()
    both = voice()
    np.testing.assert_allclose(mix(both + left, both + right), both + (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.1])
def test_a_channel_upside_down_does_not_cancel(scale: float) -> None:
    left = voice()
    np.testing.assert_allclose(mix(left, -scale * left), left * (1 + scale) / 2, atol=1e-6)


def test_the_first_channel_keeps_its_polarity() -> None:
    right = voice()
    mixed = mix(-0.5 * right, right)
    np.testing.assert_allclose(mixed, -0.75 * right, atol=1e-6)


def test_a_silent_channel_does_not_halve_the_other() -> None:
    right = voice()
    np.testing.assert_allclose(mix(np.zeros_like(right), right), right, atol=1e-6)


def test_one_speaker_a_channel_keeps_both() -> None:
    caller, agent = voice(8), voice(8)
    caller[4 * SAMPLE_RATE :] = 0
    agent[: 4 * SAMPLE_RATE] = 0
    mixed = mix(caller, agent)
    assert level(mixed[: 4 * SAMPLE_RATE]) == pytest.approx(level(caller[: 4 * SAMPLE_RATE]))
    # From the second speaker on, both channels count.
    assert level(mixed[5 * SAMPLE_RATE :]) == pytest.approx(level(agent[5 * SAMPLE_RATE :]) / 2)


def test_a_pause_does_not_forget_which_channel_is_turned_over() -> None:
    left = voice(60)
    left[2 * SAMPLE_RATE : 58 * SAMPLE_RATE] = 0
    np.testing.assert_allclose(mix(left, -left), left, atol=1e-6)


def test_the_centre_of_surround_sound_is_heard() -> None:
    centre = voice()
    nothing = np.zeros_like(centre)
    np.testing.assert_allclose(mix(nothing, nothing, centre, nothing, nothing), centre, atol=1e-6)


def test_a_change_of_weights_does_not_click() -> None:
    left, right = tone(4, 200), tone(4, 200)
    right[: 2 * SAMPLE_RATE] = 0
    steps = np.abs(np.diff(mix(left, right)))
    assert steps.max() < 1.05 * np.abs(np.diff(left)).max()


def test_digital_silence_stays_silent() -> None:
    nothing = np.zeros(SAMPLE_RATE, np.float32)
    assert not mix(nothing, nothing).any()
