import torch
from torch import Tensor

from deployments.recognition.attention.memory import Shape
from deployments.recognition.model.rules import Rules
from deployments.recognition.model.state import DecoderState
from tests.unit.deployments.recognition.model.test_rules import SMALL

CPU = torch.device("cpu")
LAYERS, HEADS, SIZE = 2, 3, 4


def state(count: int = 3, target: int = 100, source: int = 80) -> DecoderState:
    return DecoderState(count, Shape(LAYERS, HEADS, SIZE, source, target), torch.float32)


def drawn(length: int, seed: int = 0) -> Tensor:
    return torch.randn(LAYERS, HEADS, length, SIZE, generator=torch.Generator().manual_seed(seed))


def test_memory_has_room_for_every_token_of_every_row() -> None:
    some = state()
    for memory in (some.past.keys, some.past.values):
        assert memory.shape == (LAYERS, 3, HEADS, 100, SIZE)
        assert not memory.any()


def test_a_loaded_row_has_its_window_until_it_is_cleared() -> None:
    some = state()
    some.load(1, drawn(20, 0), drawn(20, 1))
    assert torch.equal(some.cross.keys(1, 1), drawn(20, 0)[1])
    some.start(1, 3)
    some.clear(1)
    assert some.cross.keys(1, 1).shape[1] == 0
    assert some.positions.tolist() == [0, 0, 0]


def test_advancing_moves_the_rows_in_use_only() -> None:
    some = state()
    for row in range(3):
        some.start(row, 10 * row)
    some.advance(2)
    assert some.positions.tolist() == [1, 11, 20]


def test_a_moved_row_takes_all_that_it_holds_along() -> None:
    some, rules = state(), Rules(SMALL, CPU)
    some.load(0, drawn(70), drawn(70))
    some.load(2, drawn(20, 1), drawn(20, 2))
    for row, prompt in ((0, 60), (2, 12)):
        some.start(row, prompt)
        some.past.keys[:, row, :, :prompt] = drawn(prompt, 5)
        some.past.values[:, row, :, :prompt] = drawn(prompt, 6)
    some.note(2, torch.tensor([SMALL.timestamp_begin + 4]), rules)
    some.move(2, 0)
    assert torch.equal(some.cross.keys(0, 0), drawn(20, 1)[0])
    assert torch.equal(some.past.keys[:, 0, :, :12], drawn(12, 5))
    assert torch.equal(some.past.values[:, 0, :, :12], drawn(12, 6))
    assert int(some.positions[0]) == 12
    assert int(some.tokens[0]) == SMALL.timestamp_begin + 4
    assert all(field[0] == field[2] for field in some.rules.fields())


def test_a_started_row_has_no_history() -> None:
    some, rules = state(), Rules(SMALL, CPU)
    some.start(1, 3)
    some.note(1, torch.tensor([7]), rules)
    assert not some.rules.last[1]
    some.start(1, 5)
    assert some.rules.last[1]
    assert int(some.positions[1]) == 5
