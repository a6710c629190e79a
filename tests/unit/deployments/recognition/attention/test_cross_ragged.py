import pytest
import torch

from deployments.recognition.attention.cross import Shape
from deployments.recognition.attention.cross_ragged import DTYPES, RaggedAttention
from deployments.recognition.attention.silence import Groups
from tests.support.processor import with_fewer_too


def test_a_type_that_it_does_not_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"float16, which no kernel reads"):
        RaggedAttention(1, Shape(1, 1, 4, 8), dtype=torch.float16)


@with_fewer_too
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_a_row_finds_has_the_same_bits_whoever_its_neighbours_are(dtype: torch.dtype) -> None:
    some = RaggedAttention(3, Shape(1, 2, 64, 1500), dtype=dtype)
    draw = torch.Generator().manual_seed(0)
    groups = Groups.of(torch.randn(1500, 4, generator=draw))
    some.hush(groups, *torch.randn(2, 1, 2, groups.count, 64, generator=draw))
    for row, length in enumerate((1201, 333, 64)):
        some.load(row, *torch.randn(2, 1, 2, length, 64, generator=draw), silent=row != 2)
    asked = torch.randn(3, 2, 1, 64, generator=draw)
    together = some.context(0, asked, slice(0, 3), 1201)
    for row in range(3):
        one = slice(row, row + 1)
        assert torch.equal(some.context(0, asked[one], one, 1201), together[one])
