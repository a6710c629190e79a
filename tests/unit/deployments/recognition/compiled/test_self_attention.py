import torch
from torch import Tensor

from deployments.recognition.attention.cross import Shape
from deployments.recognition.attention.kernels import attention
from deployments.recognition.attention.past import CompiledSelfAttention, MaskedSelfAttention, Past
from tests.support.processor import with_fewer_too

pytestmark = with_fewer_too

SHAPE = Shape(layers=2, heads=3, head_size=8, source=1)
SLOTS, TARGET = 4, 20


def past() -> Past:
    held = Past(SLOTS, SHAPE, TARGET, torch.float32, torch.device("cpu"))
    draw = torch.Generator().manual_seed(1)
    for memory in (held.keys, held.values):
        memory.copy_(torch.randn(memory.shape, generator=draw))
    return held


def projected(rows: int) -> Tensor:
    shape = (rows, 3, SHAPE.heads, SHAPE.head_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def test_rows_find_what_they_find_under_a_mask_and_keep_the_same() -> None:
    positions = torch.tensor([0, 7, TARGET - 1])
    compiled, masked = past(), past()
    newest = projected(3)
    ways = (
        (CompiledSelfAttention(SHAPE.head_size), compiled),
        (MaskedSelfAttention(attention("sdpa")), masked),
    )
    attending = [way(held, positions, slice(1, 4), TARGET) for way, held in ways]
    for layer in range(SHAPE.layers):
        found, expected = (attend(layer, newest) for attend in attending)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(compiled.keys, masked.keys)
    assert torch.equal(compiled.values, masked.values)


def test_what_a_row_finds_has_the_same_bits_whoever_its_neighbours_are() -> None:
    attend, newest = CompiledSelfAttention(SHAPE.head_size), projected(3)
    positions = torch.tensor([3, 12, 5])
    together = attend(past(), positions, slice(0, 3), 13)(1, newest)
    for row in range(3):
        one = slice(row, row + 1)
        alone = attend(past(), positions[one], one, 13)(1, newest[one].contiguous())
        assert torch.equal(alone, together[one])
