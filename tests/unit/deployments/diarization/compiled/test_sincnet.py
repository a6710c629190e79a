"""SincNet's loops, beside what torch makes of the same."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from deployments.compiled.integers import Weights
from deployments.diarization.compiled.sincnet import POOL, convolve_and_pool, normalise, rectify
from interchange.stages import Float32
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = [with_fewer_too, needs_integers]

NONE = np.empty((0, 0), np.float32)


def drawn(*shape: int, seed: int = 0) -> Float32:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def pooled(
    x: Float32, hop: int, weights: Weights, rows: int, *, least: bool = True
) -> tuple[Float32, Float32]:
    highest, lowest = (np.full((rows, weights.outputs), np.nan, np.float32) for _ in range(2))
    convolve_and_pool(
        *(x, hop, weights.inputs, weights.packed, weights.scales, weights.bias, weights.most),
        *(highest, lowest if least else NONE),
    )
    return highest, lowest


@pytest.mark.parametrize("rows", [1, 2, 95, 96, 97, 200])
@pytest.mark.parametrize(
    ("hop", "inputs", "outputs"), [(10, 252, 80), (80, 400, 60), (6, 30, 16), (1, 2, 7)]
)
def test_pooled_products_are_a_convolutions(rows: int, hop: int, inputs: int, outputs: int) -> None:
    x = drawn((rows * POOL - 1) * hop + inputs)
    weight, bias = drawn(outputs, inputs, seed=1), drawn(outputs, seed=2)
    found = functional.conv1d(
        torch.from_numpy(x)[None, None],
        torch.from_numpy(weight)[:, None],
        torch.from_numpy(bias),
        stride=hop,
    )[0].reshape(outputs, rows, POOL)
    highest, lowest = pooled(x, hop, Weights.of(weight, bias), rows)
    close = {"atol": 4e-3 * inputs**0.5, "rtol": 0.0}
    np.testing.assert_allclose(highest, found.amax(2).T.numpy(), **close)
    np.testing.assert_allclose(lowest, found.amin(2).T.numpy(), **close)
    (alone, untouched) = pooled(x, hop, Weights.of(weight, bias), rows, least=False)
    assert np.array_equal(alone, highest)
    assert np.isnan(untouched).all()


def test_the_last_row_may_miss_the_number_that_only_makes_it_even() -> None:
    x, weight = drawn(2 * 10 + 251), drawn(3, 252, seed=1)
    weight[:, -1] = 0
    whole = np.append(x, np.float32(0.1))
    weights = Weights.of(weight, None)
    assert np.array_equal(pooled(x, 10, weights, 1), pooled(whole, 10, weights, 1))


def test_what_is_loud_costs_others_no_digits() -> None:
    x, weights = drawn(3000 * 4), Weights.of(drawn(16, 20, seed=1), None)
    quiet, _ = pooled(x, 4, weights, 900)
    x[-100:] *= 1e4
    loud, _ = pooled(x, 4, weights, 900)
    assert np.array_equal(loud[:800], quiet[:800])


@pytest.mark.parametrize(("frames", "channels"), [(1, 3), (589, 60), (1000, 80)])
def test_norms_are_torchs(frames: int, channels: int) -> None:
    x = 3 * drawn(frames, channels) + 5
    weight, bias = drawn(channels, seed=1), drawn(channels, seed=2)
    norm = (
        functional.instance_norm(
            torch.from_numpy(x.T.copy())[None].double(),
            weight=torch.from_numpy(weight).double(),
            bias=torch.from_numpy(bias).double(),
            use_input_stats=True,
            eps=1e-5,
        )
        if frames > 1
        else torch.from_numpy(bias)[None, :, None].double()
    )
    expected = functional.leaky_relu(norm)[0].T.numpy()
    normalise(x, weight, bias, np.float32(1e-5))
    np.testing.assert_allclose(x, expected, atol=1e-4)


def test_the_greatest_size_is_behind_gain_and_offset() -> None:
    high = drawn(50, 7)
    low, offset = high - np.abs(drawn(50, 7, seed=1)), drawn(7, seed=2)
    out = np.empty_like(high)
    rectify(high, low, np.float32(0.3), offset, out)
    expected = np.maximum(np.abs(high * 0.3 + offset), np.abs(low * 0.3 + offset))
    np.testing.assert_allclose(out, expected, atol=1e-6)
