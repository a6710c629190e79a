"""What a decoding child may use up before the kernel ends it."""

import ctypes
import resource
import signal
from contextlib import suppress
from pathlib import Path

MEMORY = 600 * 10**6
"""Bytes of addresses, and so of memory, of which Python and FFmpeg's code take a third."""

_PATIENCE_S = 30.0
"""Of processor time without a piece of sound: what opening the largest file takes, and more."""

_PER_SECOND_S = 1.0
"""Of processor time a second of sound, which takes a hundredth of it: a file whose decoding is
slower than its playing is made so."""

_PR_SET_PDEATHSIG = 1


def limit(longest_s: float) -> None:
    """Of this process for good; `longest_s` is how many seconds of sound are asked for at most.

    A core dump, a file that grows and an open file more are none of its business. The kernel
    looks at it first when the machine's memory runs out.
    """
    cpu = round(_PATIENCE_S + longest_s * _PER_SECOND_S) + 1
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_NOFILE, 4),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS knows no limit of addresses
            resource.setrlimit(kind, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Patience:
    """A kitchen timer that runs while the process computes, and ends it (SIGPROF)."""

    def __init__(self) -> None:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)

    def begin(self) -> None:
        """With a new recording."""
        signal.setitimer(signal.ITIMER_PROF, _PATIENCE_S)

    def progress(self, seconds: float) -> None:
        """So many seconds of sound were made."""
        left, _ = signal.getitimer(signal.ITIMER_PROF)
        more = left + seconds * _PER_SECOND_S
        signal.setitimer(signal.ITIMER_PROF, min(more, _PATIENCE_S))
