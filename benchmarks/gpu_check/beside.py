"""What engine and diarizer cost each other on one card, a process each, as the service has them.

Run it again after `nvidia-cuda-mps-control -d` to see what NVIDIA's MPS changes.
"""

import multiprocessing
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_check.diarization import BATCH, load, samples_of
from benchmarks.gpu_check.scripted import recording
from benchmarks.gpu_check.subject import Subject
from interchange.stages import SAMPLE_RATE, DiarizationOptions

WINDOWS, SLOTS = 375, 32
"""150 minutes, of 24 s each; and what a card of 24 GB decodes at once."""
REPEATED = 3
"""How often the bundle's recording of 10.9 minutes is played for one pass of the diarizer."""
ALONE_S = 5.0


def beside(subject: Subject) -> dict[str, Any]:
    """Times real time of large-v3's shape as usually asked, and of diarization: alone, and both."""
    processes = multiprocessing.get_context("spawn")
    go, stop = processes.Event(), processes.Event()
    passes: Any = processes.Queue()
    diarizer = processes.Process(
        target=_diarize, args=(subject.bundle, subject.device.type, go, stop, passes), daemon=True
    )
    diarizer.start()
    model = subject.model("large-v3")
    windows, slots = (6, 4) if subject.small else (WINDOWS, SLOTS)

    def recognized() -> tuple[float, float]:
        """When it began and ended, its warm-up left out."""
        found = recording(model, windows, slots, usual=True, warm=not subject.small)
        ended = time.monotonic()
        return ended - found["seconds"], ended

    passes.get()  # the diarizer is warm
    alone = recognized()
    go.set()
    time.sleep(ALONE_S)
    quiet_until = time.monotonic()
    both = recognized()
    stop.set()
    spans: list[tuple[float, float]] = list(iter(passes.get, None))
    diarizer.join()
    audio = len(samples_of(subject)) * (1 if subject.small else REPEATED) / SAMPLE_RATE
    among = [end - start for start, end in spans if start < both[1] and end > both[0]]
    before = [end - start for start, end in spans if end < quiet_until]
    spoken = windows * 24.0
    return {
        "engine alone": spoken / (alone[1] - alone[0]),
        "engine beside": spoken / (both[1] - both[0]),
        "diarizer alone": audio / median(before) if before else None,
        "diarizer beside": audio / median(among),
        "passes": [len(before), len(among)],
    }


def _diarize(bundle: Path, device: str, go: Any, stop: Any, passes: Any) -> None:
    """Diarize again and again: puts something once warm, each pass's begin and end, and None."""
    torch.set_grad_enabled(False)
    subject = Subject(bundle, torch.device(device))
    samples = np.tile(samples_of(subject), 1 if subject.small else REPEATED)
    diarizer = load(subject, "bundled:diarization", 32 if subject.small else BATCH)
    passes.put("warm")
    go.wait()
    while not stop.is_set():
        begun = time.monotonic()
        diarizer.turns(samples, DiarizationOptions())
        passes.put((begun, time.monotonic()))
    passes.put(None)
