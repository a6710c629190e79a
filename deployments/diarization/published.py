"""Pipelines as pyannote publishes them: loaded and parametrised by pyannote, run our way."""

import math
from pathlib import Path
from typing import Any

import torch
import yaml
from huggingface_hub.errors import GatedRepoError
from pyannote.audio import Pipeline
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization

from deployments.diarization.diarization import Diarization
from deployments.diarization.embeddings import SpeakerEmbedder
from deployments.diarization.networks.trunks import WeSpeakerTrunk
from deployments.diarization.networks.workers import Workers
from deployments.diarization.segmentation import Segmenter
from deployments.diarization.speakers.pyannote_clustering import PyannoteClustering
from deployments.diarization.speakers.voices import VoiceLimits
from deployments.models.wheels import WeightsUnavailable
from interchange.errors import MissingToken
from interchange.stages import SAMPLE_RATE, STRETCH_REACH

VOICES = VoiceLimits(same=0.45, several=0.40)
"""Those of the bundled models: nobody has measured what fits WeSpeaker's better."""


class NoPlda(PLDA):
    """pyannote loads one whatever the clustering; agglomerative clustering never asks it."""

    def __init__(self) -> None:
        pass


def load(
    folder: Path,
    device: torch.device,
    batch_size: int,
    token: str | None,
    workers: Workers | None = None,
) -> Diarization:
    """The pipeline of a folder with `config.yaml`, which may name models of the hub.

    Raises WeightsUnavailable for a folder without one and for models that pyannote's published
    pipelines do not have, MissingToken where a model is gated.
    """
    pipeline = _pipeline(folder, token)
    model = getattr(pipeline._embedding, "model_", None)
    if not WeSpeakerTrunk.fits(model):
        raise WeightsUnavailable(
            f"{folder / 'config.yaml'} names an embedding model of another kind "
            f"({type(model).__name__}): Rayscribe runs WeSpeaker's ResNets, as "
            "speaker-diarization-3.1 and community-1 have them."
        )
    segmenter = Segmenter(
        pipeline._segmentation.model,
        device,
        batch_size,
        pipeline.segmentation_step,
        getattr(pipeline.segmentation, "threshold", 0.5),
        workers=workers,
    )
    grid = segmenter.grid
    if grid.chunk > STRETCH_REACH:
        raise WeightsUnavailable(
            f"{folder / 'config.yaml'} names a segmentation model that looks at "
            f"{grid.chunk / SAMPLE_RATE:g} s at once: Rayscribe runs those that look at "
            f"{STRETCH_REACH / SAMPLE_RATE:g} s at most."
        )
    shortest = math.ceil(grid.frames * pipeline._embedding.min_num_samples / grid.chunk)
    return Diarization(
        segmenter=segmenter,
        embedder=SpeakerEmbedder(WeSpeakerTrunk(model, device), device, batch_size, workers),
        clustering=PyannoteClustering(pipeline.clustering),
        voices=VOICES,
        least_clean=shortest if pipeline.embedding_exclude_overlap else None,
        gap=pipeline.segmentation.min_duration_off,
    )


def _pipeline(folder: Path, token: str | None) -> SpeakerDiarization:
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
