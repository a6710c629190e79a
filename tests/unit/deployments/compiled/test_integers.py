"""Products in 16-bit integers, beside the same sums by NumPy."""

from typing import Any

import numpy as np
import pytest

from deployments.compiled.integers import (
    DEPTH,
    ROWS_AT_ONCE,
    Weights,
    product,
    quantise,
)
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = [with_fewer_too, needs_integers]


def multiplied(x: Any, weights: Weights, first: int = 0, last: int | None = None) -> Any:
    out = np.full((len(x), weights.outputs), np.nan, np.float32)
    packed = weights.packed
    last = packed.shape[1] if last is None else last
    product(x, packed, weights.scales, weights.bias, weights.most, first, last, out)
    return out


def drawn(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 7, 12, ROWS_AT_ONCE + 5])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(2, 1), (240, 33), (512, 16), (514, 40), (1280, 48)]
)
def test_a_product_is_the_sum_of_rounded_numbers(rows: int, inputs: int, outputs: int) -> None:
    x, weight, bias = drawn(rows, inputs), drawn(outputs, inputs, seed=1), drawn(outputs, seed=2)
    weights = Weights.of(weight, bias)
    scales = np.abs(weight).max(1) / 2047
    row_scales = np.abs(x).max(1) / weights.most
    sums = np.rint(x / row_scales[:, None]) @ np.rint(weight / scales[:, None]).T
    expected = sums * row_scales[:, None] * scales + bias
    # Where a number lies between two integers, either may be taken.
    np.testing.assert_allclose(multiplied(x, weights), expected, atol=1e-3 * inputs**0.5, rtol=1e-5)
    exact = x @ weight.T + bias
    assert np.abs(multiplied(x, weights) - exact).std() < 2e-3 * inputs**0.5


@pytest.mark.parametrize("inputs", [DEPTH, 4 * DEPTH])
@pytest.mark.parametrize("sign", [-1, 1])
def test_no_sum_exceeds_its_32_bits(inputs: int, sign: int) -> None:
    weight, x = np.ones((16, inputs), np.float32), np.full((3, inputs), sign, np.float32)
    np.testing.assert_allclose(multiplied(x, Weights.of(weight, None)), sign * inputs, rtol=1e-3)


def test_neither_neighbours_nor_a_share_of_the_columns_change_a_bit() -> None:
    x, weights = drawn(2 * ROWS_AT_ONCE + 1, 600), Weights.of(drawn(100, 600, seed=1), drawn(100))
    together = multiplied(x, weights)
    for first, last in ((0, 1), (3, 11), (ROWS_AT_ONCE - 1, ROWS_AT_ONCE + 2)):
        assert np.array_equal(multiplied(x[first:last], weights), together[first:last])
    left, right = multiplied(x, weights, 0, 3), multiplied(x, weights, 3)
    assert np.array_equal(left[:, :48], together[:, :48])
    assert np.isnan(left[:, 48:]).all()
    assert np.array_equal(right[:, 48:], together[:, 48:])


def test_zeros_are_zeros() -> None:
    weight, bias = drawn(17, 32), drawn(17, seed=1)
    weight[3] = 0
    x = drawn(2, 32, seed=2)
    x[1] = 0
    result = multiplied(x, Weights.of(weight, bias))
    assert np.array_equal(result[1], bias)
    assert result[0, 3] == bias[3]


def test_a_pair_must_be_whole() -> None:
    with pytest.raises(ValueError, match=r"an even number of inputs: 3"):
        Weights.of(drawn(2, 3), None)


def test_the_largest_number_becomes_the_largest_integer() -> None:
    out = np.zeros(4, np.int16)
    scale = quantise(np.array([0.5, -2, 1, 0], np.float32), np.float32(1000), out)
    assert out.tolist() == [250, -1000, 500, 0]
    assert scale == np.float32(0.002)
