"""The encoder's attention in 16-bit integers, beside torch's in float32."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deployments.recognition.compiled.encoder_attention import QUERIES_AT_ONCE, attend
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = [with_fewer_too, needs_integers]

HEADS, SIZE = 2, 32


def found(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    out = torch.full((queries.shape[1], HEADS, SIZE), torch.nan)
    arrays = (each.numpy() for each in (queries, keys, values, mask))
    attend(*arrays, 0, HEADS, out.numpy())
    return out.transpose(0, 1)


def drawn(asking: int, count: int, loud: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(asking + count)
    queries = loud * torch.randn(HEADS, asking, SIZE, generator=draw) / SIZE**0.5
    keys, values = torch.randn(2, HEADS, count, SIZE, generator=draw)
    return queries, keys, values


@pytest.mark.parametrize("asking", [1, 5, QUERIES_AT_ONCE, 2 * QUERIES_AT_ONCE + 7])
@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 301])
@pytest.mark.parametrize("loud", [0.0, 1.0, 30.0])
def test_it_finds_what_torch_finds(asking: int, count: int, loud: float) -> None:
    queries, keys, values = drawn(asking, count, loud)
    mask = torch.arange(min(count, 9)) / 3
    added = functional.pad(mask, (count - len(mask), 0))[None]
    expected = functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=added, scale=1.0
    )
    close = 2e-3 * max(1.0, loud)  # scores are rounded to a part of the largest
    torch.testing.assert_close(found(queries, keys, values, mask), expected, atol=close, rtol=close)


def test_sums_over_many_alike_stay_within_their_32_bits() -> None:
    count = 1500
    queries, keys, _ = drawn(3, count, 0.0)
    values = torch.full((HEADS, count, SIZE), -7.0)
    result = found(queries, keys, values, torch.zeros(0))
    torch.testing.assert_close(result, torch.full_like(result, -7), atol=0.01, rtol=0)


def test_heads_can_be_shared_and_lie_anywhere() -> None:
    queries, keys, values = (
        each.transpose(0, 1).contiguous().transpose(0, 1) for each in drawn(20, 40)
    )
    together = found(queries, keys, values, torch.zeros(0))
    out = np.zeros((20, HEADS, SIZE), np.float32)
    for head in range(HEADS):
        arrays = (each.numpy() for each in (queries, keys, values))
        attend(*arrays, np.zeros(0, np.float32), head, head + 1, out)
    assert torch.equal(torch.from_numpy(out).transpose(0, 1), together)


def test_a_query_finds_the_same_bits_beside_others() -> None:
    queries, keys, values = drawn(2 * QUERIES_AT_ONCE, 50)
    together = found(queries, keys, values, torch.zeros(0))
    alone = found(queries[:, 7:9].contiguous(), keys, values, torch.zeros(0))
    assert torch.equal(alone, together[:, 7:9])
