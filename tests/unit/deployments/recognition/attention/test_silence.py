import math

import pytest
import torch
from torch import Tensor

from deployments.recognition.attention.silence import MEANS, Groups


def of_kinds(*kinds: int) -> Tensor:
    """Positions (positions, 4) of a few kinds, those of one kind nearly the same."""
    draw = torch.Generator().manual_seed(0)
    centres = 10 * torch.randn(max(kinds) + 1, 4, generator=draw)
    return centres[list(kinds)] + 0.01 * torch.randn(len(kinds), 4, generator=draw)


def test_positions_that_are_alike_are_one_group_wherever_they_are() -> None:
    groups = Groups.of(of_kinds(0, 1, 0, 2, 0, 1, 2, 1), 3)
    assert groups.numbers.tolist() == [0, 2, 0, 1, 0, 2, 1, 2]


def test_few_positions_are_each_their_own() -> None:
    assert Groups.of(torch.zeros(4, 2)).numbers.tolist() == [0, 1, 2, 3]


def test_there_are_so_many_groups_even_of_what_is_all_the_same() -> None:
    groups = Groups.of(torch.ones(2 * MEANS, 2))
    assert groups.count == MEANS
    assert set(groups.numbers.tolist()) == set(range(MEANS))


def test_a_mean_is_that_of_its_group() -> None:
    x = of_kinds(1, 0, 1, 1, 0)
    groups = Groups.of(x, 2)
    several = torch.stack([x, 2 * x])[:, None]
    means = groups.means(several)
    assert means.shape == (2, 1, 2, 4)
    torch.testing.assert_close(means[0, 0, 0], x[[0, 2, 3]].mean(0))
    torch.testing.assert_close(means[1, 0, 1], 2 * x[[1, 4]].mean(0))
    assert groups.means(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("owned", "counts"),
    [(0, [2, 3, 3]), (1, [1, 3, 3]), (3, [0, 3, 2]), (6, [0, 1, 1]), (7, [0, 0, 1]), (8, [0] * 3)],
)
def test_a_mean_counts_for_what_is_behind_the_window(owned: int, counts: list[int]) -> None:
    groups = Groups.of(of_kinds(0, 1, 0, 2, 2, 1, 2, 1), 3)
    scores = [math.log(count) if count else -math.inf for count in counts]
    assert groups.scores(owned).tolist() == pytest.approx(scores)
    assert groups.seen(owned).tolist() == pytest.approx([s for s in scores if s > -math.inf])
