"""Diarization by stage: the bundled models, and published pipelines with random weights."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diarization.stages import PIPELINES, pipelines, stage_times
from benchmarks.gpu_check.subject import Subject
from configs.settings import DiarizationSettings
from deployments.diarization.pipeline import Diarizer
from interchange.stages import Int16

BATCH = 512
REPEATED = 14
"""How often the recording of 10.9 minutes is played for one of two and a half hours."""


def diarization(subject: Subject) -> dict[str, Any]:
    """Seconds a stage, of the bundle's recording once and again and again."""
    _bundled_weights(subject)
    samples = samples_of(subject)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="rayscribe-check-") as folder:
        for name, model in pipelines(list(PIPELINES), Path(folder)).items():
            diarizer = load(subject, model, 32 if subject.small else BATCH)
            for times in (1,) if subject.small else (1, REPEATED):
                figures, _ = stage_times(diarizer, np.tile(samples, times), subject.device.type)
                found[f"{name} x{times}"] = figures
            del diarizer
    return found


def load(subject: Subject, model: str, batch: int) -> Diarizer:
    """A diarizer that is warm."""
    _bundled_weights(subject)
    kind = subject.device.type
    diarizer = Diarizer(DiarizationSettings(device=kind, batch_size=batch, model=model))
    diarizer.warm_up()
    return diarizer


def samples_of(subject: Subject) -> Int16:
    """The bundle's recording; the first half minute where the check is tried."""
    samples: Int16 = np.load(subject.bundle / "diarization" / "recording.npz")["samples"]
    return samples[: 30 * 16_000] if subject.small else samples


def _bundled_weights(subject: Subject) -> None:
    os.environ["RAYSCRIBE_CACHE"] = str(subject.bundle)
