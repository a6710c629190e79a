"""Cross-attention, held against a softmax written out."""

import pytest
import torch
from torch import Tensor

from deployments.recognition.attention.cross import CrossAttention
from deployments.recognition.attention.memory import Shape
from deployments.recognition.attention.silence import Groups
from tests.support.processor import with_fewer_too

pytestmark = with_fewer_too

ROWS, LAYERS, HEADS, SIZE, SOURCE = 3, 2, 3, 4, 78
SHAPE = Shape(LAYERS, HEADS, SIZE, SOURCE, 8)
GROUPS = Groups.of(torch.arange(SOURCE)[:, None] % 7 * torch.ones(2), 50)
"""Some of several positions, which are not neighbours."""
NOBODY = (torch.zeros(LAYERS, HEADS, 0, SIZE),) * 2


def attention(dtype: torch.dtype = torch.float32) -> CrossAttention:
    return CrossAttention(ROWS, SHAPE, dtype=dtype)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def window(positions: int, seed: int) -> tuple[Tensor, Tensor]:
    keys, values = drawn(2, LAYERS, HEADS, positions, SIZE, seed=seed)
    return keys, values


def expected(
    layer: int,
    queries: Tensor,
    own: tuple[Tensor, Tensor],
    silence: tuple[Tensor, Tensor] = NOBODY,
) -> Tensor:
    """Queries (heads, texts, size) over a window and, behind it, silence: each of its positions is
    the mean of its group."""
    length = own[0].shape[2]
    keys, values = (
        torch.cat([mine, all_[:, :, GROUPS.numbers][:, :, length:]], 2) if all_.shape[2] else mine
        for mine, all_ in zip(own, silence, strict=True)
    )
    return torch.softmax(queries @ keys[layer].transpose(1, 2), -1) @ values[layer]


def agree(some: CrossAttention, row: int, *behind: tuple[Tensor, Tensor]) -> None:
    """A row finds in each layer what it should, asked one thing or several at once."""
    for layer in range(LAYERS):
        for texts in (1, 5):
            asked = drawn(1, HEADS, texts, SIZE, seed=texts)
            found = some.context(layer, asked, slice(row, row + 1))
            assert found.shape == asked.shape
            torch.testing.assert_close(found[0], expected(layer, asked[0], *behind))


@pytest.mark.slow
def test_a_row_attends_to_its_window() -> None:
    some, mine = attention(), window(20, 1)
    some.load(1, *mine, silent=False)
    agree(some, 1, mine)
    for layer in range(LAYERS):
        assert torch.equal(some.keys(layer, 1), mine[0][layer])


@pytest.mark.parametrize("length", [1, 9, 10, 33, 70, 71, 77])
def test_silence_stands_behind_the_window_of_who_is_to_see_it(length: int) -> None:
    some, silence = attention(), window(GROUPS.count, 9)
    assert not some.knows_silence
    some.set_silence(GROUPS, *silence)
    assert some.knows_silence
    seeing, deaf = window(length, 1), window(20, 2)
    some.load(0, *seeing, silent=True)
    some.load(1, *deaf, silent=False)
    agree(some, 0, seeing, silence)
    agree(some, 1, deaf)


def test_a_window_as_long_as_can_be_has_no_silence_behind_it() -> None:
    some, mine = attention(), window(SOURCE, 1)
    some.set_silence(GROUPS, *window(GROUPS.count, 9))
    some.load(0, *mine, silent=True)
    agree(some, 0, mine)


def test_rows_of_any_lengths_are_asked_together() -> None:
    some, silence = attention(), window(GROUPS.count, 9)
    some.set_silence(GROUPS, *silence)
    windows = [window(length, length) for length in (50, 7, 23)]
    for row, mine in enumerate(windows):
        some.load(row, *mine, silent=row != 2)
    asked = drawn(ROWS, HEADS, 1, SIZE)
    found = some.context(1, asked, slice(0, 3))
    for row, mine in enumerate(windows):
        behind = NOBODY if row == 2 else silence
        torch.testing.assert_close(found[row], expected(1, asked[row], mine, behind))


def test_a_shorter_window_after_a_longer_one_sees_nothing_of_it() -> None:
    some, shorter = attention(), window(5, 2)
    some.set_silence(GROUPS, *window(GROUPS.count, 9))
    some.load(0, *window(60, 1), silent=True)
    some.clear(0)
    some.load(0, *shorter, silent=False)
    agree(some, 0, shorter)


def test_a_moved_row_takes_all_that_it_holds_along() -> None:
    some, silence, mine = attention(), window(GROUPS.count, 9), window(20, 1)
    some.set_silence(GROUPS, *silence)
    some.load(0, *window(70, 3), silent=False)
    some.load(2, *mine, silent=True)
    some.move(2, 0)
    some.clear(2)
    some.load(2, *window(40, 4), silent=False)
    agree(some, 0, mine, silence)
    assert torch.equal(some.keys(1, 0), mine[0][1])


@pytest.mark.slow
def test_bfloat16_is_read_as_what_it_is() -> None:
    some, silence = attention(torch.bfloat16), window(GROUPS.count, 9)
    some.set_silence(GROUPS, *silence)
    mine = window(33, 1)
    some.load(0, *mine, silent=True)
    asked = drawn(1, HEADS, 1, SIZE)
    found = some.context(1, asked, slice(0, 1))
    close = expected(1, asked[0], mine, silence)
    torch.testing.assert_close(found[0].float(), close, atol=2e-2, rtol=2e-2)


@pytest.mark.slow
def test_what_is_kept_can_be_shorter_than_what_is_multiplied() -> None:
    some = CrossAttention(ROWS, SHAPE, dtype=torch.float32, kept=torch.bfloat16)
    mine = window(33, 1)
    some.load(0, *mine, silent=False)
    assert some.keys(0, 0).dtype == torch.float32
    assert torch.equal(some.keys(1, 0), mine[0][1].bfloat16().float())
    for texts in (1, 3):
        asked = drawn(1, HEADS, texts, SIZE)
        found = some.context(1, asked, slice(0, 1))
        assert found.dtype == torch.float32
        close = expected(1, asked[0], mine)
        torch.testing.assert_close(found[0], close, atol=2e-2, rtol=2e-2)


def test_float16_is_kept_as_float32() -> None:
    some, mine = attention(torch.float16), window(33, 1)
    some.load(0, *mine, silent=False)
    assert some.keys(0, 0).dtype == torch.float32
    agree(some, 0, mine)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_what_a_row_finds_has_the_same_bits_whoever_its_neighbours_are(dtype: torch.dtype) -> None:
    some = CrossAttention(3, Shape(1, 2, 64, 1500, 448), dtype=dtype)
    draw = torch.Generator().manual_seed(0)
    groups = Groups.of(torch.randn(1500, 4, generator=draw))
    some.set_silence(groups, *torch.randn(2, 1, 2, groups.count, 64, generator=draw))
    for row, length in enumerate((1201, 333, 64)):
        some.load(row, *torch.randn(2, 1, 2, length, 64, generator=draw), silent=row != 2)
    asked = torch.randn(3, 2, 1, 64, generator=draw)
    together = some.context(0, asked, slice(0, 3))
    for row in range(3):
        one = slice(row, row + 1)
        assert torch.equal(some.context(0, asked[one], one), together[one])
