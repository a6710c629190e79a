"""Diarization by stage: the bundled models, and published pipelines with random weights."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diarization.stages import pipelines, stage_times
from benchmarks.gpu_check.subject import Subject
from configs.settings import DiarizationSettings
from deployments.diarization.pipeline import Diarizer

BATCH = 512
REPEATED = 14
"""How often the recording of 10.9 minutes is played for one of two and a half hours."""


def diarization(subject: Subject) -> dict[str, Any]:
    """Seconds a stage, of the bundle's recording once and again and again."""
    os.environ["RAYSCRIBE_CACHE"] = str(subject.bundle)  # where the bundled weights lie
    samples = np.load(subject.bundle / "diarization" / "recording.npz")["samples"]
    if subject.small:
        samples = samples[: 30 * 16_000]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="rayscribe-check-") as folder:
        for name, model in pipelines(["bundled", "3.1"], Path(folder)).items():
            kind = subject.device.type
            batch = 32 if subject.small else BATCH
            diarizer = Diarizer(DiarizationSettings(device=kind, batch_size=batch, model=model))
            diarizer.warm_up()
            for times in (1,) if subject.small else (1, REPEATED):
                figures, _ = stage_times(diarizer, np.tile(samples, times), kind)
                found[f"{name} x{times}"] = figures
            del diarizer
    return found
