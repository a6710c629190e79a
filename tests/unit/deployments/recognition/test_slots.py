import pytest
import torch
from torch import Tensor

from deployments.recognition.rules import NEVER, Rules
from deployments.recognition.slots import TOGETHER, Slots
from tests.unit.deployments.recognition.test_rules import SMALL

CPU = torch.device("cpu")
LAYERS, HEADS, SIZE = 2, 3, 4


def slots(count: int = 3, target: int = 100, source: int = 80) -> Slots:
    return Slots(
        count,
        layers=LAYERS,
        heads=HEADS,
        head_size=SIZE,
        target=target,
        source=source,
        dtype=torch.float32,
        cross_dtype=torch.float32,
        device=CPU,
    )


def drawn(length: int, seed: int = 0) -> Tensor:
    return torch.randn(LAYERS, HEADS, length, SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_memory_that_no_window_was_written_to_holds_no_garbage(dtype: torch.dtype) -> None:
    """A masked position counts for nothing only if it is a number: nothing times NaN is NaN."""
    shape = (LAYERS, 3, HEADS, 80, SIZE)
    garbage = [torch.full(shape, torch.nan, dtype=dtype) for _ in range(64)]
    del garbage
    made = Slots(
        3,
        layers=LAYERS,
        heads=HEADS,
        head_size=SIZE,
        target=80,
        source=80,
        dtype=torch.float32,
        cross_dtype=dtype,
        device=CPU,
    )
    for memory in (made.self_keys, made.self_values, made.cross_keys, made.cross_values):
        assert memory.shape == shape
        assert not memory.any()
    assert (made.self_keys.dtype, made.cross_values.dtype) == (torch.float32, dtype)


def test_a_loaded_row_sees_its_window_and_nothing_behind_it() -> None:
    some = slots()
    keys, values = drawn(20, 0), drawn(20, 1)
    some.load(1, keys, values)
    assert torch.equal(some.cross_keys[:, 1, :, :20], keys)
    assert torch.equal(some.cross_values[:, 1, :, :20], values)
    assert (some.mask[1, 0, 0, :20] == 0).all()
    assert (some.mask[1, 0, 0, 20:] == NEVER).all()
    assert (some.mask[[0, 2]] == NEVER).all()
    assert (some.silent_mask == NEVER).all()
    assert some.owned[1] == 20


def test_silence_stands_behind_the_window_of_who_is_to_see_it() -> None:
    some = slots()
    some.load(0, drawn(20), drawn(20), silent=True)
    assert (some.mask[0, 0, 0, :20] == 0).all()
    assert (some.mask[0, 0, 0, 20:] == NEVER).all()
    means = 20 // TOGETHER
    assert (some.silent_mask[0, 0, 0, :means] == NEVER).all()
    assert (some.silent_mask[0, 0, 0, means:].exp() == TOGETHER).all()
    assert (some.silent_mask[1:] == NEVER).all()
    assert some.owned[0] == 20


def test_a_mean_of_silence_stands_for_the_positions_that_are_behind_the_window() -> None:
    some = slots(source=78)
    some.load(0, drawn(33), drawn(33), silent=True)
    weights = some.silent_mask[0, 0, 0].exp().round().tolist()
    assert weights == [0, 0, 0, 7, 10, 10, 10, 8]


def test_silence_is_held_as_means() -> None:
    some = slots(source=78)
    keys, values = drawn(78, 1), drawn(78, 2)
    some.hush(keys, values)
    assert some.silence is not None
    for means, all_ in zip(some.silence, (keys, values), strict=True):
        assert means.shape == (LAYERS, HEADS, 8, SIZE)
        torch.testing.assert_close(means[:, :, 1], all_[:, :, 10:20].mean(2))
        torch.testing.assert_close(means[:, :, 7], all_[:, :, 70:].mean(2))


def test_a_shorter_window_after_a_longer_one_sees_nothing_of_it() -> None:
    some = slots()
    some.load(0, drawn(60), drawn(60), silent=True)
    some.load(0, drawn(5), drawn(5))
    assert (some.mask[0, 0, 0] == 0).sum() == 5
    assert (some.silent_mask[0] == NEVER).all()
    assert some.owned[0] == 5


def test_the_extent_of_a_step_is_that_of_the_longest_rows_in_use_rounded_up() -> None:
    some = slots()
    for row, (prompt, length) in enumerate([(3, 20), (40, 33), (90, 70)]):
        some.load(row, drawn(length), drawn(length))
        some.start(row, prompt)
    assert some.extent(1) == (32, 32)
    assert some.extent(2) == (64, 64)
    # Never beyond what there is.
    assert some.extent(3) == (96, 80)


def test_a_step_has_room_for_the_token_that_it_takes_in() -> None:
    some = slots()
    some.load(0, drawn(1), drawn(1))
    some.start(0, 31)
    assert some.extent(1)[0] == 32
    some.advance(1)
    assert some.extent(1)[0] == 64


def test_advancing_moves_the_rows_in_use_only() -> None:
    some = slots()
    for row in range(3):
        some.start(row, 10 * row)
    some.advance(2)
    assert some.positions.tolist() == [1, 11, 20]
    assert some.lengths == [1, 11, 20]


def test_a_moved_row_takes_all_that_it_holds_along() -> None:
    some, rules = slots(), Rules(SMALL, CPU)
    some.load(0, drawn(70), drawn(70))
    some.load(2, drawn(20, 1), drawn(20, 2), silent=True)
    for row, prompt in ((0, 60), (2, 12)):
        some.start(row, prompt)
        some.self_keys[:, row, :, :prompt] = drawn(prompt, 5)
        some.self_values[:, row, :, :prompt] = drawn(prompt, 6)
    some.note(2, torch.tensor([SMALL.timestamp_begin + 4]), rules)
    some.move(2, 0)
    assert torch.equal(some.cross_keys[:, 0, :, :20], drawn(20, 1))
    assert torch.equal(some.cross_values[:, 0, :, :20], drawn(20, 2))
    assert torch.equal(some.self_keys[:, 0, :, :12], drawn(12, 5))
    assert torch.equal(some.self_values[:, 0, :, :12], drawn(12, 6))
    assert torch.equal(some.mask[0], some.mask[2])
    assert (some.mask[0, 0, 0, 20:] == NEVER).all()
    assert torch.equal(some.silent_mask[0], some.silent_mask[2])
    assert (some.owned[0], some.lengths[0]) == (20, 12)
    assert int(some.positions[0]) == 12
    assert int(some.tokens[0]) == SMALL.timestamp_begin + 4
    assert all(field[0] == field[2] for field in some.rules.fields())


def test_a_started_row_has_no_history() -> None:
    some, rules = slots(), Rules(SMALL, CPU)
    some.start(1, 3)
    some.note(1, torch.tensor([7]), rules)
    assert not some.rules.last[1]
    some.start(1, 5)
    assert some.rules.last[1]
    assert int(some.positions[1]) == 5
