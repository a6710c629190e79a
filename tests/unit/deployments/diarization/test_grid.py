"""How many talk, and for how long, counted as numpy counts."""

import numpy as np
import pytest

from deployments.diarization.grid import at_once, frames_of, lone, talks


@pytest.mark.parametrize("chunks", [0, 1, 5])
def test_talk_is_counted_as_numpy_does(chunks: int) -> None:
    masks = (np.random.default_rng(chunks).random((chunks, 589, 4)) < 0.6).astype(np.uint8)
    masks[:, :, 2] = 0
    several = masks.sum(axis=2, keepdims=True) > 1
    np.testing.assert_array_equal(at_once(masks), masks.sum(axis=2))
    np.testing.assert_array_equal(frames_of(masks), masks.sum(axis=1))
    np.testing.assert_array_equal(talks(masks), masks.any(axis=1))
    np.testing.assert_array_equal(lone(masks), np.where(several, 0, masks))
