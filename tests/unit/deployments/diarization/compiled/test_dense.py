"""A layer of CAM++ in 16-bit integers, beside the same in float32."""

import pytest
import torch
from torch import Tensor, nn

from deployments.diarization.networks.campplus import DenseBlock, DenseLayer
from deployments.diarization.networks.campplus_integers import IntegerBlock
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = [with_fewer_too, needs_integers]

INPUTS, LAYERS = 64, 3


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def block(dilation: int, inputs: int = INPUTS) -> DenseBlock:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = DenseBlock(LAYERS, inputs, growth=32, dilation=dilation)
        for norm in made.modules():
            if isinstance(norm, nn.BatchNorm1d):
                nn.init.normal_(norm.weight, 1, 0.2)
                nn.init.normal_(norm.bias)
    made.eval()
    for layer in made.values():
        assert isinstance(layer, DenseLayer)
        for part in (layer, layer.nonlinear1, layer.nonlinear2, layer.cam_layer):
            part.fold()
    return made


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 5, 99, 100, 101, 250])
def test_a_block_is_torchs(frames: int, dilation: int) -> None:
    exact, x = block(dilation), drawn(2, frames, INPUTS)
    with torch.inference_mode():
        expected, found = exact(x), IntegerBlock(exact)(x)
    assert torch.equal(found[..., :INPUTS], x)
    torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)


def test_many_inputs_are_summed_up_in_parts() -> None:
    exact, x = block(2, inputs=1000), drawn(1, 30, 1000)
    with torch.inference_mode():
        torch.testing.assert_close(IntegerBlock(exact)(x), exact(x), atol=1e-2, rtol=0)


def test_items_do_not_change_each_other() -> None:
    made, x = IntegerBlock(block(2)), drawn(3, 120, INPUTS)
    with torch.inference_mode():
        together = made(x)
        for number, item in enumerate(x):
            assert torch.equal(made(item[None])[0], together[number])
