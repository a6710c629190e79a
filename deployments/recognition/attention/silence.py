"""The silence behind windows as few positions.

What the model makes of 30 s of silence is alike at most positions, and quite another thing at some
that are scattered among them. Those that are alike are read as one, their mean, which counts as
often as there are positions that it stands for.
"""

from dataclasses import dataclass

import torch
from scipy.cluster.hierarchy import cut_tree, linkage
from torch import Tensor

MEANS = 50
"""In how many groups. The decoder errs as seldom with 25, with 100, and with every position by
itself, the encoder with 100. Means of ten neighbours each lie where their positions are not, and
cost words."""


@dataclass(frozen=True, slots=True)
class Groups:
    """For each position of silence the number of its group (positions,).

    Groups are in order of their last position: a window sees those from some group on.
    """

    numbers: Tensor
    count: int

    @classmethod
    def of(cls, silence: Tensor, count: int = MEANS) -> "Groups":
        """Group positions (positions, width) that are alike, by Ward's method."""
        positions = len(silence)
        if positions <= count:
            return cls(torch.arange(positions), positions)
        tree = linkage(silence.float().cpu().numpy(), "ward")
        numbers = torch.from_numpy(cut_tree(tree, count)[:, 0]).long()
        last = torch.zeros(count, dtype=torch.long)
        last.scatter_reduce_(0, numbers, torch.arange(positions), "amax")
        return cls(last.argsort().argsort()[numbers], count)

    def means(self, x: Tensor) -> Tensor:
        """(..., positions, width) -> (..., groups, width)."""
        numbers = self.numbers.to(x.device)
        sums = torch.zeros(*x.shape[:-2], self.count, x.shape[-1], device=x.device)
        sums.index_add_(-2, numbers, x.float())
        return (sums / torch.bincount(numbers, minlength=self.count)[:, None]).to(x.dtype)

    def scores(self, owned: int) -> Tensor:
        """What is added to the score of each mean, (groups,), where a window has the first `owned`
        positions itself: the logarithm of how many of those behind it the mean stands for."""
        return torch.bincount(self.numbers[owned:], minlength=self.count).log()

    def seen(self, owned: int) -> Tensor:
        """The scores of those that stand for any. They are the last ones."""
        scores = self.scores(owned)
        return scores[scores >= 0]
