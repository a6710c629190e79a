"""How much of the processor others took while something was measured."""

import os
from types import TracebackType
from typing import Self

import psutil

DISTURBED = 0.05
"""A run that shared more than this with others says little about what was measured."""


class Disturbance:
    """Inside a `with`, counts the time that the cores spent on processes which are not ours.

    Ours are this process and those it started. Afterwards `share` is the others' part of all
    that the cores could have done, from 0 to 1.
    """

    def __init__(self) -> None:
        self.share = 0.0

    def __enter__(self) -> Self:
        self._before = _busy(), _ours()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        (busy, total), ours = _busy(), _ours()
        (busy_before, total_before), ours_before = self._before
        self.share = share_of_others(busy - busy_before, ours - ours_before, total - total_before)


def share_of_others(busy: float, ours: float, total: float) -> float:
    """Seconds that cores were busy and not for us, over all their seconds; never below 0."""
    return max(0.0, busy - ours) / total if total > 0 else 0.0


def _busy() -> tuple[float, float]:
    """Seconds all cores together were busy, and that they had, since the machine started."""
    times = psutil.cpu_times()
    total = sum(times[: 8 if hasattr(times, "steal") else len(times)])
    return total - times.idle - getattr(times, "iowait", 0.0), total


def _ours() -> float:
    """Seconds of processor that our processes took; those that ended count with their parents."""
    root = psutil.Process(os.getpid())
    return sum(_of_one(process) for process in (root, *root.children(recursive=True)))


def _of_one(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    waited = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + waited)
