"""Log-mel features, held against those of transformers' feature extractor."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor

from deployments.recognition.model.log_mel import LogMel, silence
from interchange.stages import SAMPLE_RATE, Float32
from tests.unit.deployments.recognition.support import noise

CPU = torch.device("cpu")
CLOSE = 2e-4
"""Both work in float32; the logarithm of what is nearly nothing magnifies the last bits."""


@pytest.fixture(scope="module", params=[80, 128], ids=["80 mels", "128 mels"])
def extractor(request: pytest.FixtureRequest) -> Any:
    """As of large-v3, and as of all before it."""
    return WhisperFeatureExtractor(feature_size=request.param)


@pytest.fixture(scope="module")
def log_mel(extractor: Any) -> LogMel:
    return LogMel(extractor, CPU)


def published(extractor: Any, samples: Float32) -> torch.Tensor:
    features: torch.Tensor = extractor(
        samples, sampling_rate=SAMPLE_RATE, return_tensors="pt"
    ).input_features[0]
    return features


@pytest.mark.parametrize("seconds", [0.001, 0.0125, 0.5, 3.333, 29.99, 29.9999, 30, 31, 45])
def test_features_are_those_of_transformers_at_any_length(
    log_mel: LogMel, extractor: Any, seconds: float
) -> None:
    samples = noise(seconds)
    features = log_mel.padded(samples)
    assert features.shape == (log_mel.mels, 3000)
    torch.testing.assert_close(features, published(extractor, samples), atol=CLOSE, rtol=0)


def test_features_of_speech_are_those_of_transformers(
    log_mel: LogMel, extractor: Any, sample: Float32
) -> None:
    for samples in (sample, sample[: 7 * SAMPLE_RATE], 0.01 * sample):
        torch.testing.assert_close(
            log_mel.padded(samples), published(extractor, samples), atol=CLOSE, rtol=0
        )


def test_features_of_digital_silence_are_those_of_transformers(
    log_mel: LogMel, extractor: Any
) -> None:
    samples = np.zeros(SAMPLE_RATE, np.float32)
    torch.testing.assert_close(log_mel.padded(samples), published(extractor, samples))


def test_samples_that_came_read_only_over_a_hop_are_no_trouble(log_mel: LogMel) -> None:
    samples = noise(1)
    samples.flags.writeable = False
    assert log_mel.padded(samples).isfinite().all()


def test_leveled_features_are_shifted_ones(log_mel: LogMel, sample: Float32) -> None:
    samples = sample[: 4 * SAMPLE_RATE]
    whole = log_mel.padded(samples)
    leveled = log_mel.leveled(samples, 600, peak=1.5)
    torch.testing.assert_close(leveled, whole[:, :600] - whole.max() + 1.5, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("gain", [2.0, 0.1, 1e-3, 1e-4])
def test_leveled_features_do_not_depend_on_the_loudness(
    log_mel: LogMel, sample: Float32, gain: float
) -> None:
    samples = sample[: 4 * SAMPLE_RATE]
    leveled = log_mel.leveled(np.float32(gain) * samples, 600, peak=1.5)
    expected = log_mel.leveled(samples, 600, peak=1.5)
    torch.testing.assert_close(leveled, expected, atol=CLOSE, rtol=0)
    assert leveled.max() == 1.5
    # The audio ends at frame 400: behind it there is the silence of any other window.
    assert (leveled[:, 402:] == silence(1.5)).all()


@pytest.mark.parametrize("frames", [1, 2, 399, 400, 401, 2999, 3000])
def test_leveled_features_of_part_of_a_window_know_what_follows(
    log_mel: LogMel, frames: int
) -> None:
    # The first frame is by far the loudest, so that every part has the same maximum.
    samples = noise(30)
    samples[:400] *= 10
    part = log_mel.leveled(samples, frames, peak=1.5)
    whole = log_mel.leveled(samples, 3000, peak=1.5)
    assert part.shape == (log_mel.mels, frames)
    torch.testing.assert_close(part, whole[:, :frames], atol=CLOSE, rtol=0)


def test_digital_silence_is_silent_at_any_level(log_mel: LogMel) -> None:
    leveled = log_mel.leveled(np.zeros(SAMPLE_RATE, np.float32), 100, peak=1.5)
    assert (leveled == silence(1.5)).all()
