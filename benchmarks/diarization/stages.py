"""Where diarization's time goes: `python -m benchmarks.diarization.stages --help`.

Prints one JSON object a line: seconds a stage on a CPU or a GPU, for the bundled models and
for pipelines as pyannote publishes them (random weights: they cost what the real ones do).
"""

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measuring.speaker_errors import diarization_error_rate
from configs.settings import DiarizationSettings
from deployments.diarization.bundled import SEGMENTATION_FILE
from deployments.diarization.pipeline import Diarizer
from deployments.models.resolve import resolve
from interchange.stages import SAMPLE_RATE, DiarizationOptions, Int16
from interchange.transcript import Turn
from tests.support.published import embedding_checkpoint, published_pipeline

BUNDLED = "bundled:diarization"
PIPELINES = ("bundled", "3.1", "community-1")


class Stages:
    """Seconds of each stage; a GPU is waited for where one ends."""

    def __init__(self, device: str) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._stage: str | None = None
        self._since = time.perf_counter()

    def progress(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self.end(stage)

    def end(self, following: str | None = None) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self._stage is not None:
            # Each stretch of the recording comes to it again.
            seconds = self.seconds.get(self._stage, 0.0) + now - self._since
            self.seconds[self._stage] = round(seconds, 3)
        self._stage, self._since = following, now


def stage_times(
    diarizer: Diarizer, waveform: Int16, device: str
) -> tuple[dict[str, Any], list[Turn]]:
    """The stages of one recording, and what was found in it."""
    stages = Stages(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began, worked = time.perf_counter(), time.process_time()
    turns = diarizer.turns(waveform, DiarizationOptions(), on_progress=stages.progress)
    stages.end()
    wall = time.perf_counter() - began
    audio = len(waveform) / SAMPLE_RATE
    found = {
        "audio_s": round(audio, 1),
        "wall_s": round(wall, 3),
        "processor_s": round(time.process_time() - worked, 3),
        "x": round(audio / wall, 1),
        "stages": stages.seconds,
        "turns": len(turns),
        "speakers": len({turn.speaker for turn in turns}),
    }
    if device == "cuda":
        found["peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        found["reserved_gb"] = round(torch.cuda.max_memory_reserved() / 1e9, 2)
    return found, list(turns)


def pipelines(names: list[str], folder: Path) -> dict[str, str]:
    """What `diarization.model` must name for each; what is not bundled is made in `folder`."""
    segmentation = resolve(BUNDLED, None, None) / SEGMENTATION_FILE
    models = {}
    for name in names:
        if name == "bundled":
            models[name] = BUNDLED
            continue
        place = folder / name
        place.mkdir()
        embedding = embedding_checkpoint(place / "embedding.bin")
        models[name] = str(published_pipeline(place, name, segmentation, embedding))
    return models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path, help="a recording, or int16 at 16 kHz as .npy")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--times", type=int, nargs="+", default=[1], help="repeat it so often")
    parser.add_argument("--batches", type=int, nargs="+", default=[32], help="batch sizes")
    parser.add_argument("--tf32", type=int, nargs="+", default=[0], choices=(0, 1), help="on a GPU")
    parser.add_argument("--dtypes", nargs="+", default=["auto"], help="one after the other")
    parser.add_argument("--threads", type=int, default=0, help="of a CPU; 0: all")
    parser.add_argument("--pipelines", nargs="+", default=["bundled"], choices=PIPELINES)
    chosen = parser.parse_args()
    samples = _samples(chosen.recording)
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder:
        for name, model in pipelines(chosen.pipelines, Path(folder)).items():
            first: dict[int, list[Turn]] = {}
            ways = itertools.product(chosen.batches, chosen.tf32, chosen.dtypes)
            for batch, tf32, dtype in ways:
                settings = DiarizationSettings(
                    device=chosen.device,
                    dtype=dtype,
                    threads=chosen.threads,
                    batch_size=batch,
                    model=model,
                )
                diarizer = Diarizer(settings)
                torch.backends.cudnn.allow_tf32 = bool(tf32)
                diarizer.warm_up()
                for times in chosen.times:
                    row = {"pipeline": name, "device": chosen.device, "batch": batch}
                    row |= {"tf32": tf32, "dtype": dtype}
                    waveform = np.tile(samples, times)
                    found, turns = stage_times(diarizer, waveform, chosen.device)
                    reference = first.setdefault(times, turns)
                    # Of what the first settings found, not of a truth.
                    differs = diarization_error_rate(reference, turns, found["audio_s"], 0.0)
                    print(json.dumps(row | found | {"differs": round(differs, 5)}), flush=True)
                del diarizer


def _samples(path: Path) -> Int16:
    if path.suffix == ".npy":
        found: Int16 = np.load(path)
        return found
    # Not on a bare machine with a GPU.
    from benchmarks.measuring.recordings import waveform  # noqa: PLC0415
    from interchange.samples import as_int16  # noqa: PLC0415

    return as_int16(waveform(path))


if __name__ == "__main__":
    main()
