"""Whom Linux may interrupt for whom, on a machine that computes on its CPU.

Ray's processes wake up some two thousand times a second, each time for a moment. Where the
threads of a computation wait for each other, interrupting one of them holds all of them up: a
service at rest took a fifth of the speed of recognition on its machine. A process of the policy
SCHED_BATCH waits for a core to become free, some milliseconds at most, and interrupts nobody.
"""

import os
import sys
from contextlib import suppress


def give_way() -> None:
    """Interrupt nobody: the calling thread, and all processes and threads it starts later."""
    _set("SCHED_BATCH")


def stand_back() -> None:
    """Let others go before the calling thread, for good. Ray's workers are at 15 of 19 already."""
    # Outside Linux the whole process would stand back.
    if sys.platform == "linux":
        os.nice(10)


def compute() -> None:
    """Back to the usual policy, for the calling thread and the threads it starts later."""
    _set("SCHED_OTHER")


def _set(policy: str) -> None:
    # There is none outside Linux, and a sandbox may not allow it: then all is as it always was.
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))
