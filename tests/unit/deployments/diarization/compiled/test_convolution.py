"""Convolutions in 16-bit integers, beside torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from deployments.diarization.compiled.convolution import Taps, convolve
from interchange.stages import Float32
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = [with_fewer_too, needs_integers]

NONE = np.empty((0, 0, 0), np.float32)
ANY = float(np.finfo(np.float32).min)


def drawn(*shape: int, seed: int = 0) -> Float32:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def convolved(
    x: Float32,
    weight: Float32,
    bias: Float32,
    stride: int,
    added: Float32 = NONE,
    least: float = ANY,
) -> Float32:
    """(frames, bins, channels) by (outputs, channels, bins, frames)."""
    taps = Taps.of(
        np.ascontiguousarray(weight.transpose(3, 0, 2, 1)).reshape(weight.shape[3], len(weight), -1)
    )
    out = np.full((len(x), -(-x.shape[1] // stride), len(weight)), np.nan, np.float32)
    convolve(x, taps.packed, taps.scales, bias, taps.most, added, stride, np.float32(least), out)
    return out


def exact(x: Float32, weight: Float32, bias: Float32, stride: int) -> Float32:
    found = functional.conv2d(
        torch.from_numpy(x.transpose(2, 1, 0))[None],
        torch.from_numpy(weight),
        torch.from_numpy(bias),
        stride=(stride, 1),
        padding=weight.shape[2] // 2,
    )
    result: Float32 = found[0].permute(2, 1, 0).numpy()
    return result


@pytest.mark.parametrize("frames", [1, 2, 3, 20])
@pytest.mark.parametrize("bins", [2, 7, 12, 80])
@pytest.mark.parametrize(
    ("channels", "outputs", "span", "stride"),
    [(2, 32, 3, 1), (32, 32, 3, 1), (32, 16, 3, 2), (32, 32, 1, 2), (4, 16, 1, 1), (8, 48, 5, 1)],
)
def test_a_convolution_is_torchs(
    frames: int, bins: int, channels: int, outputs: int, span: int, stride: int
) -> None:
    x, bias = drawn(frames, bins, channels), drawn(outputs, seed=1)
    weight = drawn(outputs, channels, span, span, seed=2)
    expected = exact(x, weight, bias, stride)
    inputs = channels * span * span
    np.testing.assert_allclose(
        convolved(x, weight, bias, stride), expected, atol=5e-3 * inputs**0.5
    )
    added = drawn(*expected.shape, seed=3)
    found = convolved(x, weight, bias, stride, added, least=0)
    np.testing.assert_allclose(found, np.maximum(expected + added, 0), atol=5e-3 * inputs**0.5)


def test_a_frame_is_rounded_by_itself() -> None:
    x, bias = drawn(9, 6, 4), drawn(16)
    weight = drawn(16, 4, 3, 3, seed=1)
    quiet = convolved(x, weight, bias, 1)
    x[5] *= 1e4
    loud = convolved(x, weight, bias, 1)
    same = [0, 1, 2, 3, 7, 8]
    assert np.array_equal(loud[same], quiet[same])
    assert not np.array_equal(loud[4:7], quiet[4:7])


def test_silence_gives_the_bias() -> None:
    bias = drawn(16)
    found = convolved(np.zeros((4, 5, 2), np.float32), drawn(16, 2, 3, 3), bias, 1)
    assert np.array_equal(found, np.broadcast_to(bias, found.shape))


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="a multiple of 16 outputs: 8"):
        Taps.of(drawn(3, 8, 6))
    with pytest.raises(ValueError, match="512 inputs at most: 514"):
        Taps.of(drawn(3, 16, 514))
