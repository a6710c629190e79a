import numpy as np
import pytest

from deployments.recognition.compiled.cross_attention import kernel
from tests.support.processor import with_fewer_too

pytestmark = with_fewer_too

NOTHING = np.zeros((1, 1, 0, 1), np.float32), np.zeros((1, 1, 1, 0), np.float32)


@pytest.mark.parametrize("apart", [0, 1e-3, 0.5, 1, 7.3, 30, 80])
def test_weights_are_those_of_a_softmax(apart: float) -> None:
    """Of two positions, the second of which has the lower score: its share is what is found."""
    keys = np.array([0, -apart], np.float32).reshape(1, 1, 2, 1)
    values = np.array([0, 1], np.float32).reshape(1, 1, 1, 2)
    found = np.empty((1, 1), np.float32)
    one = np.ones((1, 1), np.float32)
    kernel(1, bfloat16=False)(one, 0, (keys, values), NOTHING, np.zeros(0, np.float32), found)
    assert float(found[0, 0]) == pytest.approx(np.exp(-apart) / (1 + np.exp(-apart)), rel=1e-5)


def test_a_score_far_below_the_others_counts_for_nothing() -> None:
    keys = np.array([50, -1e30], np.float32).reshape(1, 1, 2, 1)
    values = np.array([3, 7], np.float32).reshape(1, 1, 1, 2)
    found = np.empty((1, 1), np.float32)
    one = np.ones((1, 1), np.float32)
    kernel(1, bfloat16=False)(one, 0, (keys, values), NOTHING, np.zeros(0, np.float32), found)
    assert float(found[0, 0]) == 3


def test_each_layer_has_its_own_keys_and_values() -> None:
    keys, values = np.random.default_rng(0).normal(size=(2, 2, 1, 3, 4)).astype(np.float32)
    values = np.ascontiguousarray(values.transpose(0, 1, 3, 2))
    asked = np.ones((1, 4), np.float32)
    nothing = np.zeros((2, 1, 0, 4), np.float32), np.zeros((2, 1, 4, 0), np.float32)
    for layer in range(2):
        found = np.empty_like(asked)
        kernel(4, bfloat16=False)(
            asked, layer, (keys, values), nothing, np.zeros(0, np.float32), found
        )
        weights = np.exp(keys[layer, 0].sum(1))
        np.testing.assert_allclose(
            found[0], values[layer, 0] @ (weights / weights.sum()), rtol=1e-5
        )
