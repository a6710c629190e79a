"""Memory under a cap: a card of 24 GB has to hold 32 slots of large-v3, and a diarizer beside."""

from typing import Any

import torch

from benchmarks.gpu_check.scripted import recording
from benchmarks.gpu_check.subject import Subject

CAP_GB = 24.0
BESIDE_GB = 4.0
"""What is left to a diarizer and to the contexts of both processes."""


def capped(subject: Subject) -> dict[str, Any]:
    """Large-v3 with 32 slots where torch may take no more; all windows wait, which is a burst."""
    if subject.small:
        return recording(subject.model("large-v3"), 6, 4, usual=True, warm=False)
    total = torch.cuda.get_device_properties(subject.device).total_memory
    torch.cuda.set_per_process_memory_fraction((CAP_GB - BESIDE_GB) * 1e9 / total)
    try:
        return recording(subject.model("large-v3"), 150, 32, usual=True)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
