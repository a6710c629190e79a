"""How much memory a replica holds."""

import os
import sys
from pathlib import Path

from interchange import measures

_PAGE = os.sysconf("SC_PAGE_SIZE")


def measure_memory() -> None:
    """Record what is reserved of the GPU; without one, what the process holds of the machine."""
    measures.MEMORY.record(_reserved() or _resident())


def _reserved() -> int:
    torch = sys.modules.get("torch")  # who uses a GPU has imported it
    if torch is None or not torch.cuda.is_available():
        return 0
    reserved: int = torch.cuda.memory_reserved()
    return reserved


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
