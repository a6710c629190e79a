import pytest
import torch

from deployments.recognition.compiled.softmax import softmax
from tests.support.processor import with_fewer_too

pytestmark = with_fewer_too


@pytest.mark.parametrize("masked", [0, 1, 9, 33])
def test_weights_are_the_nearest_to_those_of_a_softmax(masked: int) -> None:
    draw = torch.Generator().manual_seed(masked)
    scores = (4 * torch.randn(5, 33, generator=draw)).bfloat16()
    scores[0] = scores[0].abs().neg() - 50  # the highest may be far from zero
    mask = torch.linspace(0, 3, masked)
    exact = scores.double()
    exact[:, 33 - masked :] += mask
    expected = torch.softmax(exact, -1).float()
    softmax(scores.view(torch.uint16).numpy(), mask.numpy())
    # Half a unit of the last of eight binary digits, and what the exponential is off.
    torch.testing.assert_close(scores.float(), expected, rtol=2**-8 + 1e-5, atol=1e-30)
