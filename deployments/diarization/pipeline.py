"""From a whole recording to its speaker turns, by pyannote.audio's pipeline. Knows no Ray."""

import os
import threading
import time
import warnings
from pathlib import Path
from typing import Any

# Threads of OpenMP that wait in a loop would take the cores that words are recognized on. It
# reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import yaml
from huggingface_hub.errors import GatedRepoError

from configs.settings import DiarizationSettings
from deployments.models.resolve import resolve
from deployments.models.wheels import WeightsUnavailable
from interchange.errors import DiarizationFailed, InvalidOption, MissingToken, Unavailable
from interchange.stages import SAMPLE_RATE, DiarizationOptions, Int16
from interchange.transcript import Turn

# pyannote tells its makers how long the recordings are unless it is told not to.
os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")

with warnings.catch_warnings():
    # torchcodec reads files for pyannote; here waveforms come decoded.
    warnings.filterwarnings("ignore", r"\s*torchcodec is not installed", UserWarning)
    from pyannote.audio import Pipeline
    from pyannote.audio.pipelines import SpeakerDiarization

    from deployments.diarization.bundled import BundledDiarization, NoPlda
    from deployments.diarization.shared_chunks import ShareChunks, as_float

_BUNDLED = "bundled:diarization"

STUCK_S = 600.0
"""After so long without a finished batch the work counts as stuck. Clustering, the one step
without batches, takes well under a minute (`bundled.MAX_CLUSTERED`)."""


class Cancelled(Exception):
    """The caller no longer wants the turns."""


class Diarizer:
    """The loaded pipeline. It takes one recording at a time: `turns` must not be called from
    two threads at once."""

    def __init__(self, settings: DiarizationSettings, token: str | None = None) -> None:
        """Raises MissingToken where the model is gated and `token` cannot open it."""
        device = settings.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            torch.set_num_threads(settings.cpu_threads)
        self._pipeline = _load(settings, token, torch.device(device))
        self._moved_at: float | None = None

    def warm_up(self) -> None:
        """Do once what the first recording would otherwise wait for."""
        noise = np.random.default_rng(0).normal(0, 100, SAMPLE_RATE).astype(np.int16)
        self.turns(noise, DiarizationOptions())

    def check(self) -> None:
        """Raises Unavailable where a recording in work has not moved for too long."""
        moved_at = self._moved_at
        if moved_at is not None and time.monotonic() - moved_at > STUCK_S:
            raise Unavailable(f"Diarization has not moved for {STUCK_S:.0f} s.")

    def turns(
        self,
        waveform: Int16,
        options: DiarizationOptions,
        cancelled: threading.Event | None = None,
    ) -> tuple[Turn, ...]:
        """Speaker turns in order of their start; empty where nobody speaks.

        `waveform` is the whole recording, mono at 16 kHz; it is not copied. Speakers are
        SPEAKER_00, SPEAKER_01, … in order of appearance. Raises Cancelled within a batch once
        `cancelled` is set, InvalidOption for bounds that contradict each other,
        DiarizationFailed otherwise.
        """
        _check(options)
        if len(waveform) == 0:
            return ()
        with warnings.catch_warnings():
            # numpy and torch warn of read-only memory (nothing here writes to it), pyannote of
            # bounds that a short recording cannot meet.
            warnings.simplefilter("ignore")
            file = {"waveform": torch.from_numpy(waveform)[None], "sample_rate": SAMPLE_RATE}

            def hook(*_: Any, **__: Any) -> None:
                self._moved_at = time.monotonic()
                if cancelled is not None and cancelled.is_set():
                    raise Cancelled

            try:
                hook()
                output = self._pipeline(
                    file,
                    num_speakers=options.num_speakers,
                    min_speakers=options.min_speakers,
                    max_speakers=options.max_speakers,
                    hook=hook,
                )
            except (RuntimeError, ValueError, MemoryError, FloatingPointError) as error:
                raise DiarizationFailed(
                    f"The speakers of a recording of {len(waveform) / SAMPLE_RATE:.1f} s could "
                    f"not be told apart: {error}"
                ) from error
            finally:
                self._moved_at = None
        annotation = getattr(output, "speaker_diarization", output)
        return _turns(annotation, len(waveform) / SAMPLE_RATE)


def _check(options: DiarizationOptions) -> None:
    least, most = options.min_speakers, options.max_speakers
    for name in ("num_speakers", "min_speakers", "max_speakers"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InvalidOption(f"{name} is {value}: it must be at least 1.", name)
    if least is not None and most is not None and least > most:
        raise InvalidOption(
            f"min_speakers ({least}) is more than max_speakers ({most}).", "min_speakers"
        )


def _turns(annotation: Any, duration: float) -> tuple[Turn, ...]:
    """Turns within the recording, by start, with speakers numbered as they appear."""
    names: dict[Any, str] = {}
    turns = []
    tracks = annotation.itertracks(yield_label=True)
    for segment, _, label in sorted(tracks, key=lambda track: (track[0].start, track[0].end)):
        start, end = max(0.0, segment.start), min(duration, segment.end)
        # Chunks are padded to their length: a turn may begin behind a recording's end.
        if start < end:
            speaker = names.setdefault(label, f"SPEAKER_{len(names):02d}")
            turns.append(Turn(start, end, speaker))
    return tuple(turns)


# ------------------------------------------------------------------------------- loading


def _load(
    settings: DiarizationSettings, token: str | None, device: torch.device
) -> SpeakerDiarization:
    folder = resolve(settings.model, settings.revision, token)
    if settings.model == _BUNDLED:
        pipeline = BundledDiarization(folder, device, settings.batch_size)
    else:
        pipeline = _from_folder(folder, token)
        pipeline.to(device)
        pipeline.segmentation_batch_size = settings.batch_size
        embedding = pipeline._embedding
        if ShareChunks.fits(getattr(embedding, "model_", None)):
            pipeline._embedding = ShareChunks(embedding.model_, device)
        # pyannote counts a chunk once for each of its local speakers: batches hold whole chunks.
        local = len(pipeline._segmentation.model.specifications.classes)
        pipeline.embedding_batch_size = settings.batch_size * local
        embedding.model_.register_forward_pre_hook(_to_float)
    pipeline._segmentation.model.register_forward_pre_hook(_to_float)
    return pipeline


def _from_folder(folder: Path, token: str | None) -> SpeakerDiarization:
    """A pipeline as published: a folder with `config.yaml`, which may name models of the hub.

    Raises WeightsUnavailable for a folder without one, MissingToken where a model is gated.
    """
    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text())
        name, params = config["pipeline"]["name"], config["pipeline"].get("params", {})
    except (OSError, yaml.YAMLError, LookupError, TypeError) as error:
        raise WeightsUnavailable(
            f"{path} describes no pipeline of pyannote.audio ({error!r}); name the folder of a "
            "downloaded speaker-diarization model."
        ) from error
    if not name.endswith("SpeakerDiarization"):
        raise WeightsUnavailable(f"{path} is a pipeline of another kind: {name}.")
    checkpoint: Path | dict[str, Any] = folder
    if params.get("clustering") == "AgglomerativeClustering" and "plda" not in params:
        # Else pyannote would fetch the PLDA of another gated repository, and not use it.
        params["plda"] = NoPlda()
        checkpoint = config
    try:
        return Pipeline.from_pretrained(checkpoint, token=token)
    except GatedRepoError as error:
        raise MissingToken(
            f"{folder.name} builds on a gated model that the hub refuses: accept the conditions "
            "of every model that its page names, and set HF_TOKEN."
        ) from error


def _to_float(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(as_float(value) for value in inputs)
