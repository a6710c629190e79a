"""CAM++ in 16-bit integers, beside the same in float32."""

import pytest
import torch
from torch import Tensor, nn

from deployments.diarization.networks.campplus import CamPlusPlus
from deployments.diarization.networks.campplus_integers import IntegerFrames
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = [with_fewer_too, needs_integers]


@pytest.fixture(scope="module")
def network() -> CamPlusPlus:
    """With weights as they are drawn, and norms that do something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = CamPlusPlus()
        for norm in made.modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d) and norm.affine:
                nn.init.normal_(norm.weight, 1, 0.1)
                nn.init.normal_(norm.bias, 0, 0.1)
    return made.folded()


def features(*shape: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("frames", [1, 2, 75, 400])
def test_frames_are_those_of_float32(network: CamPlusPlus, frames: int) -> None:
    x = features(2, frames, 80)
    with torch.inference_mode():
        exact, found = network.frames(x), IntegerFrames(network)(x)
    assert found.shape == exact.shape
    assert torch.norm(found - exact) < 0.02 * torch.norm(exact)


def test_blocks_do_not_change_each_other(network: CamPlusPlus) -> None:
    made, x = IntegerFrames(network), features(3, 50, 80)
    with torch.inference_mode():
        together = made(x)
        for number, block in enumerate(x):
            assert torch.equal(made(block[None])[0], together[number])
