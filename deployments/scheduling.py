"""Whom Linux may interrupt for whom, on a machine that computes on its CPU.

Ray's processes wake up some two thousand times a second, each time for a moment. Where the
threads of a computation wait for each other, interrupting one of them holds all of them up: a
service at rest took a fifth of the speed of recognition on its machine. A process of the policy
SCHED_BATCH waits for a core to become free, some milliseconds at most, and interrupts nobody.
"""

import os
from contextlib import suppress


def give_way() -> None:
    """Interrupt nobody: the calling thread, and all processes and threads it starts later."""
    _set("SCHED_BATCH")


def stand_back() -> None:
    """Take what others leave of the processor, in the calling thread, for good.

    Niceness is not enough. A computation's threads wake each other on one core, and a thread
    at 19 had the other one for itself.
    """
    _set("SCHED_IDLE")


def compute() -> None:
    """Back to the usual policy, for the calling thread and the threads it starts later."""
    _set("SCHED_OTHER")


def _set(policy: str) -> None:
    # There is none outside Linux, and a sandbox may not allow it: then all is as it always was.
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))
