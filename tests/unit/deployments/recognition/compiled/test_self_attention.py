import torch
from torch import Tensor

from deployments.recognition.attention.memory import Shape
from deployments.recognition.attention.past import Past
from tests.support.processor import with_fewer_too

pytestmark = with_fewer_too

SHAPE = Shape(layers=2, heads=3, head_size=8, source=1, target=20)
SLOTS = 4


def past() -> Past:
    held = Past(SLOTS, SHAPE)
    draw = torch.Generator().manual_seed(1)
    for memory in (held.keys, held.values):
        memory.copy_(torch.randn(memory.shape, generator=draw))
    return held


def projected(rows: int) -> Tensor:
    shape = (rows, 3, SHAPE.heads, SHAPE.head_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def test_rows_find_what_a_softmax_over_their_past_gives_and_keep_the_newest() -> None:
    positions, first = [0, 7, SHAPE.target - 1], 1
    held, newest = past(), projected(3)
    for layer in range(SHAPE.layers):
        found = held.attend(layer, newest, torch.tensor(positions), first)
        for index, position in enumerate(positions):
            query, key, value = newest[index]
            assert torch.equal(held.keys[layer, first + index, :, position], key)
            assert torch.equal(held.values[layer, first + index, :, position], value)
            seen = slice(position + 1)
            keys = held.keys[layer, first + index, :, seen]
            weights = torch.softmax(query[:, None] @ keys.transpose(1, 2), -1)
            expected = (weights @ held.values[layer, first + index, :, seen])[:, 0]
            torch.testing.assert_close(found[index], expected, atol=1e-5, rtol=1e-5)


def test_what_a_row_finds_has_the_same_bits_whoever_its_neighbours_are() -> None:
    newest, positions = projected(3), torch.tensor([3, 12, 5])
    together = past().attend(1, newest, positions, 0)
    for row in range(3):
        one = slice(row, row + 1)
        alone = past().attend(1, newest[one].contiguous(), positions[one], 0)
        if row == 0:
            assert torch.equal(alone, together[one])
        held = past()
        for memory in (held.keys, held.values):
            memory[:, 0] = memory[:, row]
        assert torch.equal(held.attend(1, newest[one], positions[one], 0), together[one])
