"""How much memory a replica holds, and whether an error says that there is no more."""

import os
import sys
from pathlib import Path

from interchange import measures

_PAGE = os.sysconf("SC_PAGE_SIZE")

_OUT_OF_MEMORY = (
    "out of memory",  # CUDA's own, where torch does not raise its class
    "not enough memory",  # torch's allocator for CPUs
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUFFT_ALLOC_FAILED",
)


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


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device, or the machine, had no memory left.

    Only torch's own allocator has a class for it. All say it in words.
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _OUT_OF_MEMORY)
