import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor

from deployments.compiled import shares
from deployments.recognition.attention.kernels import Kernel, attention
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = with_fewer_too

BATCH, HEADS, QUERIES, KEYS, SIZE = 2, 3, 5, 7, 8


def drawn(positions: int, seed: int) -> Tensor:
    shape = (BATCH, HEADS, positions, SIZE)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_hand(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    context = torch.zeros(BATCH, HEADS, QUERIES, SIZE)
    wide = torch.zeros(BATCH, HEADS, QUERIES, KEYS) if mask is None else mask
    if wide.dim() == 1:
        wide = torch.cat([torch.zeros(KEYS - len(wide)), wide])
    wide = wide.expand(BATCH, HEADS, QUERIES, KEYS)
    for b in range(BATCH):
        for h in range(HEADS):
            for q in range(QUERIES):
                scores = [float(queries[b, h, q] @ keys[b, h, k]) for k in range(KEYS)]
                weights = torch.softmax(torch.tensor(scores) + wide[b, h, q], 0)
                context[b, h, q] = weights @ values[b, h]
    return context


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("masked", ["not", "rows", "keys", "last keys"])
def test_kernels_do_what_attention_is(kernel: Kernel, masked: str) -> None:
    queries, keys, values = drawn(QUERIES, 0), drawn(KEYS, 1), drawn(KEYS, 2)
    mask = None
    if masked == "keys":
        mask = torch.arange(KEYS) / 2
    if masked == "last keys":
        mask = torch.tensor([0.5, 2.0])
    if masked == "rows":
        mask = torch.zeros(BATCH, 1, 1, KEYS)
        mask[0, ..., 4:] = float("-inf")
        mask[1, ..., 2] = 1.5
    context = attention(kernel)(queries, keys, values, mask)
    torch.testing.assert_close(context, by_hand(queries, keys, values, mask), atol=1e-5, rtol=0)


@pytest.mark.parametrize("threads", [1, 16])
@pytest.mark.parametrize("mask", [None, torch.arange(70) / 40, torch.arange(30) / 20])
def test_short_numbers_on_a_cpu_are_attended_to_head_by_head(
    mask: Tensor | None, threads: int
) -> None:
    """More queries than are looked at at once, and fewer keys."""
    queries, keys, values = drawn(520, 1), drawn(70, 2), drawn(70, 3)
    attend = attention("sdpa", threads)
    short = attend(queries.bfloat16(), keys.bfloat16(), values.bfloat16(), mask)
    assert short.dtype == torch.bfloat16
    exact = attention("eager")(queries, keys, values, mask)
    torch.testing.assert_close(short.float(), exact, atol=0.05, rtol=0.05)


@needs_integers
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("masked", [0, 30])
def test_in_integers_windows_are_attended_to_as_by_torch(masked: int, threads: int) -> None:
    draw = torch.Generator().manual_seed(0)
    queries = torch.randn(BATCH, HEADS, 50, 16, generator=draw) / 4
    keys, values = torch.randn(2, BATCH, HEADS, 70, 16, generator=draw)
    mask = torch.arange(masked) / 20 if masked else None
    shares.allow(threads)
    context = attention("sdpa", integers=True)(queries, keys, values, mask)
    shares.allow(1)
    exact = attention("eager")(queries, keys, values, mask)
    torch.testing.assert_close(context, exact, atol=2e-3, rtol=2e-3)


@needs_integers
def test_what_integers_are_not_made_for_is_left_to_torch() -> None:
    queries, keys, values = drawn(QUERIES, 0), drawn(KEYS, 1), drawn(KEYS, 2)
    for mask in (None, torch.zeros(QUERIES, KEYS)):
        found = attention("sdpa", integers=True)(queries, keys, values, mask)
        assert torch.equal(found, attention("sdpa")(queries, keys, values, mask))


def test_eager_attention_keeps_the_type_of_its_input() -> None:
    half = [drawn(KEYS, seed).half() for seed in range(3)]
    assert attention("eager")(half[0], half[1], half[2], None).dtype == torch.float16


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A package flash_attn of the published shape (batch, positions, heads, head size)."""
    scales: list[float] = []

    def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, *, softmax_scale: float) -> Tensor:
        scales.append(softmax_scale)
        assert q.shape == (BATCH, QUERIES, HEADS, SIZE)
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * softmax_scale
        return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v)

    package = ModuleType("flash_attn")
    package.flash_attn_func = flash_attn_func  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", package)
    return scales


def test_flash_attention_takes_what_has_no_mask(flash: list[float]) -> None:
    queries, keys, values = drawn(QUERIES, 0), drawn(KEYS, 1), drawn(KEYS, 2)
    context = attention("flash_attention_2")(queries, keys, values, None)
    torch.testing.assert_close(context, by_hand(queries, keys, values, None), atol=1e-5, rtol=0)
    assert flash == [1.0]


def test_flash_attention_leaves_what_has_a_mask_to_another(flash: list[float]) -> None:
    queries, keys, values = drawn(QUERIES, 0), drawn(KEYS, 1), drawn(KEYS, 2)
    mask = torch.zeros(BATCH, 1, QUERIES, KEYS)
    mask[..., 3] = float("-inf")
    context = attention("flash_attention_2")(queries, keys, values, mask)
    torch.testing.assert_close(context, by_hand(queries, keys, values, mask), atol=1e-5, rtol=0)
    assert flash == []


def test_flash_attention_that_is_not_installed_is_an_import_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    with pytest.raises(ImportError):
        attention("flash_attention_2")
