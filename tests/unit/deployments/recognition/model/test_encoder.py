"""The encoder, held against that of transformers, and trimmed windows against whole ones."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from deployments.recognition.attention.kernels import attention
from deployments.recognition.model.encoder import PEAK, Encoder, all_layers
from deployments.recognition.model.log_mel import silence
from deployments.recognition.model.weights import encoder_weights
from interchange.stages import SAMPLE_RATE, Float32
from tests.unit.deployments.recognition.support import Whisper, noise

CLOSE = 2e-3
"""Outputs reach beyond 10, and both sides add up in another order."""


@pytest.fixture(autouse=True, scope="module")
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def published(whisper: Whisper, features: Tensor) -> Tensor:
    output: Tensor = whisper.reference.model.encoder(features).last_hidden_state
    return output


def likeness(a: Tensor, b: Tensor) -> Tensor:
    """The cosine between two outputs, position by position."""
    return torch.cosine_similarity(a, b, dim=-1)


def test_whole_windows_are_encoded_as_by_transformers(whisper: Whisper, sample: Float32) -> None:
    windows = [sample, sample[: 5 * SAMPLE_RATE]]
    encoded = all_layers(whisper.ours.encode_padded(windows))
    expected = published(whisper, torch.cat([whisper.features(samples) for samples in windows]))
    for ours, theirs in zip(encoded, expected, strict=True):
        assert not ours.trimmed
        torch.testing.assert_close(ours.output, theirs, atol=CLOSE, rtol=0)


def test_a_trimmed_window_of_full_length_is_a_whole_one_of_another_loudness(
    whisper: Whisper, sample: Float32
) -> None:
    features = whisper.ours.log_mel.leveled(sample, 3000, PEAK)[None]
    (encoded,) = all_layers(whisper.ours.encode_trimmed([(sample, 1500)]))
    expected = published(whisper, features)[0]
    assert encoded.output.shape == expected.shape
    torch.testing.assert_close(encoded.output, expected, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("positions", [1, 2, 77, 700, 1499, 1500])
def test_silence_cut_anywhere_is_what_it_is_in_a_silent_window(
    whisper: Whisper, positions: int
) -> None:
    """Nothing of the cut may show: neither convolutions, nor attention, nor positions. With silence
    in groups most positions are nearly the same."""
    features = torch.full((1, 80, 2 * positions), silence(PEAK))
    weights = encoder_weights(whisper.reference, torch.float32)
    exact, grouped = (
        Encoder(weights, attention("sdpa"), grouped=grouped) for grouped in (False, True)
    )
    whole = exact.silent(torch.device("cpu"))
    (output,) = all_layers(exact.trimmed(features))
    assert output.shape == (positions, 512)
    torch.testing.assert_close(output, whole[:positions], atol=CLOSE, rtol=0)
    (output,) = all_layers(grouped.trimmed(features))
    assert likeness(output, whole[:positions]).median() > 0.9


def test_a_silent_window_is_encoded_as_by_transformers(whisper: Whisper) -> None:
    expected = published(whisper, torch.full((1, 80, 3000), silence(PEAK)))[0]
    output = whisper.ours.encoder.silent(torch.device("cpu"))
    torch.testing.assert_close(output, expected, atol=CLOSE, rtol=0)


def test_a_trimmed_window_is_like_its_part_of_the_whole_one(
    whisper: Whisper, sample: Float32
) -> None:
    """It approximates: silence does not hear the speech."""
    speech = sample[: 10 * SAMPLE_RATE]
    (encoded,) = all_layers(whisper.ours.encode_trimmed([(speech, 550)]))
    whole = published(whisper, whisper.ours.log_mel.leveled(speech, 3000, PEAK)[None])[0]
    assert encoded.trimmed
    assert likeness(encoded.output, whole[:550]).median() > 0.99


def test_windows_of_unequal_lengths_are_encoded_as_alone(whisper: Whisper, sample: Float32) -> None:
    windows = [
        (sample[: 4 * SAMPLE_RATE], 250),
        (sample[10 * SAMPLE_RATE : 20 * SAMPLE_RATE], 550),
        (noise(3), 200),
    ]
    together = all_layers(whisper.ours.encode_trimmed(windows))
    for encoded, window in zip(together, windows, strict=True):
        [alone] = all_layers(whisper.ours.encode_trimmed([window]))
        assert torch.equal(encoded.output, alone.output)


@pytest.mark.parametrize(
    ("speech_end_s", "positions"), [(0.0, 50), (0.01, 51), (9.0, 500), (28.99, 1500), (30.0, 1500)]
)
def test_a_window_needs_its_speech_and_a_second_behind_it(
    whisper: Whisper, speech_end_s: float, positions: int
) -> None:
    assert whisper.ours.positions(speech_end_s) == positions
