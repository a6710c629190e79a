"""Medians, percentiles and shares of measured figures."""

import math
from collections.abc import Sequence
from statistics import median

__all__ = ["median", "percentile", "ratio", "spread"]


def percentile(figures: Sequence[float], share: float) -> float:
    """The smallest of the figures that at least `share` of them do not exceed.

    No figure is made up between two measured ones: the 95th percentile of ten is the largest.
    Raises ValueError where there is none.
    """
    if not figures:
        raise ValueError("There is no percentile of nothing.")
    if not 0 < share <= 1:
        raise ValueError(f"A share is above 0 and at most 1, not {share}.")
    return sorted(figures)[math.ceil(share * len(figures)) - 1]


def spread(figures: Sequence[float]) -> float:
    """The distance from the smallest to the largest figure, as a share of the median."""
    middle = median(figures)
    return (max(figures) - min(figures)) / middle if middle else 0.0


def ratio(one: float | None, other: float | None) -> float | None:
    """How often `other` goes into `one`; None where one of them is missing."""
    return one / other if one is not None and other else None
