"""Whom Linux may interrupt for whom, on a machine that computes on its CPU.

Ray's processes wake up some two thousand times a second, each time for a moment. Where the
threads of a computation wait for each other, interrupting one of them holds all of them up: a
service at rest took a fifth of the speed of recognition on its machine. A process of the policy
SCHED_BATCH waits for a core to become free, some milliseconds at most, and interrupts nobody.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from configs.settings import usable_cores

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def give_way() -> None:
    """Interrupt nobody: the calling thread, and all processes and threads it starts later."""
    _set("SCHED_BATCH")


def stand_back(process: int = 0) -> None:
    """Take what others leave of the processor, in the calling thread or a process, for good.

    Niceness is not enough. A computation's threads wake each other on one core, and a thread
    at 19 had the other one for itself.

    Where a container may use less than its cores for some of the time, nothing is done: those
    who compute fill what it may use, and who stands back would wait for them without end.
    """
    if cores() >= usable_cores():
        _set("SCHED_IDLE", process)


def cores() -> float:
    """How many cores this process may keep busy: a share of its container's time counts as one."""
    limits = [usable_cores(), *_quotas(_GROUPS, _OWN_GROUPS)]
    return min(limits)


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """What control groups allow, of both versions, from this process's own one upwards."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folder = groups
            read = _quota
        elif "cpu" in controllers.split(","):
            folder = groups / "cpu"
            read = _quota_of_old
        else:
            continue
        group = Path(path.lstrip("/"))
        # Inside a container its own group may be shown as the uppermost one, under no path.
        for each in (group, *group.parents):
            with suppress(OSError, ValueError, ZeroDivisionError):
                quota = read(folder / each)
                if quota is not None and quota > 0:
                    yield quota


def _quota(group: Path) -> float | None:
    quota, period = (group / "cpu.max").read_text().split()
    return None if quota == "max" else int(quota) / int(period)


def _quota_of_old(group: Path) -> float | None:
    quota = int((group / "cpu.cfs_quota_us").read_text())
    return quota / int((group / "cpu.cfs_period_us").read_text())


def compute() -> None:
    """Back to the usual policy, for the calling thread and the threads it starts later."""
    _set("SCHED_OTHER")


def _set(policy: str, process: int = 0) -> None:
    # There is none outside Linux, and a sandbox may not allow it: then all is as it always was.
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(process, getattr(os, policy), os.sched_param(0))
