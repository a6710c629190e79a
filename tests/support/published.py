"""Pipelines as pyannote publishes them, made here: the hub's own weights are not at hand.

The segmentation model is the bundled one, the embedding network pyannote's WeSpeaker ResNet34
with random weights, and so is the PLDA: they tell nobody apart, and load, run and cost what
the real ones do.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from lightning import Trainer
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34

_PARAMETERS: dict[str, dict[str, Any]] = {
    "3.1": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
    "community-1": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
}
_CLUSTERING: dict[str, str] = {
    "3.1": "AgglomerativeClustering",
    "community-1": "VBxClustering",
}


def embedding_checkpoint(path: Path) -> Path:
    """A checkpoint of the architecture of `pyannote/wespeaker-voxceleb-resnet34-LM`."""
    torch.manual_seed(0)
    model = WeSpeakerResNet34()
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0
    )
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", barebones=True)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


def published_pipeline(folder: Path, kind: str, segmentation: Path, embedding: Path) -> Path:
    """A folder with the `config.yaml` of `kind` ("3.1", "community-1") on these checkpoints."""
    params = {
        "clustering": _CLUSTERING[kind],
        "embedding": str(embedding),
        "embedding_exclude_overlap": True,
        "segmentation": str(segmentation),
    }
    if kind == "community-1":
        params["plda"] = str(_plda(folder))
    config = {
        "version": "3.1.0",
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": params,
        },
        "params": {
            "clustering": _PARAMETERS[kind],
            "segmentation": {"min_duration_off": 0.0},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def _plda(folder: Path, embedding: int = 256, dimension: int = 128) -> Path:
    random = np.random.default_rng(0)
    np.savez(
        folder / "xvec_transform.npz",
        mean1=random.normal(size=embedding),
        mean2=random.normal(size=dimension),
        lda=random.normal(size=(embedding, dimension)),
    )
    np.savez(
        folder / "plda.npz",
        mu=random.normal(size=dimension),
        tr=np.linalg.qr(random.normal(size=(dimension, dimension)))[0],
        psi=np.sort(random.uniform(0.1, 5, dimension))[::-1],
    )
    return folder
