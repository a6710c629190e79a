import pytest
import torch

from deployments.recognition.model.convolutions import embedding
from tests.support.processor import needs_integers, with_fewer_too


@with_fewer_too
@needs_integers
@pytest.mark.parametrize("frames", [1, 2, 7, 8, 100])
def test_as_products_they_are_the_same(frames: int) -> None:
    torch.manual_seed(0)
    one = torch.nn.Conv1d(8, 20, 3, padding=1)
    two = torch.nn.Conv1d(20, 20, 3, stride=2, padding=1)
    features = torch.randn(2, 8, frames)
    with torch.inference_mode():
        expected = embedding(one, two, torch.float32)(features)
        found = embedding(one, two, torch.int16)(features)
    assert found.shape == (2, (frames + 1) // 2, 20)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
