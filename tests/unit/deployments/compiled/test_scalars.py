import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deployments.compiled import scalars
from tests.support.processor import with_fewer_too

pytestmark = with_fewer_too

floats = st.floats(width=32, allow_nan=False)


@given(floats, floats)
def test_ranks_have_the_order_of_the_numbers(a: float, b: float) -> None:
    ranks = [scalars.ranked(np.float32(x)) for x in (a, b)]
    assert (ranks[0] < ranks[1]) == (a < b) or a == b == 0
    assert min(ranks) > scalars.LOWEST


@given(floats)
def test_a_number_is_found_again_by_its_rank(x: float) -> None:
    assert scalars.unranked(scalars.ranked(np.float32(x))) == np.float32(x)


@given(st.floats(width=32, allow_nan=False, min_value=-(2.0**100), max_value=2.0**100))
def test_numbers_are_rounded_to_bfloat16_as_torch_does(x: float) -> None:
    rounded = torch.tensor(x, dtype=torch.float32).bfloat16()
    bits = scalars.to_bfloat16(np.float32(x))
    assert bits == rounded.view(torch.uint16).numpy()
    assert scalars.bfloat16(bits) == float(rounded)


@pytest.mark.parametrize("x", [0.0, -1e-6, -0.3, -1.0, -17.2, -80.0])
def test_the_exponential_has_the_precision_of_its_type(x: float) -> None:
    assert scalars.exponential(np.float32(x)) == pytest.approx(np.exp(np.float32(x)), rel=3e-6)


@pytest.mark.parametrize("x", [-90.0, -1e30, -np.inf])
def test_the_exponential_of_what_is_far_below_is_next_to_nothing(x: float) -> None:
    assert 0 <= scalars.exponential(np.float32(x)) < 1e-37


@pytest.mark.parametrize("x", [0.0, 1e-6, 0.3, -0.3, 4.0, -4.0, 17.2, -17.2, 100.0, -100.0])
def test_the_gates_have_the_precision_of_their_type(x: float) -> None:
    exact = np.float64(x)
    sigmoid, tanh = scalars.sigmoid(np.float32(x)), scalars.tanh(np.float32(x))
    assert sigmoid == pytest.approx(1 / (1 + np.exp(-exact)), rel=1e-5, abs=1e-37)
    assert tanh == pytest.approx(np.tanh(exact), rel=1e-5, abs=1e-6)
