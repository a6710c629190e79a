"""A process that may compute, and use what it holds open; nothing else (seccomp, Linux).

The list has what Python, NumPy and FFmpeg call between the first byte of a file and its last
sample. Opening a file or a socket, starting a process or a thread, and signals are not on it:
these calls fail with EPERM, in this process for good.
"""

import ctypes
import platform
import struct

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_CALLS = {
    # what is open
    "read": (0, 63),
    "write": (1, 64),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "close": (3, 57),
    "recvfrom": (45, 207),
    "sendto": (44, 206),
    # memory
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    # time
    "clock_gettime": (228, 113),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "getrusage": (98, 165),
    "restart_syscall": (219, 128),
    # itself
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "rseq": (334, 293),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getrandom": (318, 278),
    "sigaltstack": (131, 132),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
"""The numbers of the calls, in the order of the architectures."""

_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06
_ARCHITECTURE_AT, _NUMBER_AT = 4, 0
_KILL, _ALLOW, _REFUSE = 0x8000_0000, 0x7FFF_0000, 0x0005_0001  # the last with EPERM

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine() -> bool:
    """Whether it worked: there is none outside Linux, and a sandbox around may not allow it."""
    machine = platform.machine()
    libc = ctypes.CDLL(None)
    if machine not in _ARCHITECTURES or not hasattr(libc, "prctl"):
        return False
    column = list(_ARCHITECTURES).index(machine)
    code = _filter(_ARCHITECTURES[machine], [numbers[column] for numbers in _CALLS.values()])
    program = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    refused: int = libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))
    return refused == 0


def _filter(architecture: int, numbers: list[int]) -> bytes:
    """A program for the kernel's packet filter over (call, architecture, …)."""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUALS, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for left, number in enumerate(reversed(numbers)):
        steps.insert(4, (_EQUALS, left + 1, 0, number))
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
