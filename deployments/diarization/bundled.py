"""The bundled pair of models: segmentation-3.0 of pyannote, and CAM++ of 3D-Speaker."""

from pathlib import Path

import torch
from pyannote.audio import Model

from deployments.diarization.campplus import CamPlusPlus
from deployments.diarization.clustering import PyannotesClustering, agglomerative
from deployments.diarization.diarization import Diarization
from deployments.diarization.embeddings import SpeakerEmbedder
from deployments.diarization.segmentation import Segmenter
from deployments.diarization.trunks import CamPlusPlusTrunk

SEGMENTATION_FILE = "pytorch_model.bin"
EMBEDDING_FILE = "campplus_cn_en_common.pt"

STEP = 0.1
"""Step between chunks as a share of their 10 s."""
THRESHOLD = 0.7
"""Distance of unit vectors beyond which two clusters are two speakers."""
MIN_CLUSTER_SIZE = 5
"""Chunks (of a speaker each) below which a cluster joins its nearest larger one."""
LEAST_CLEAN = 0.05
"""Half a second of a chunk's 10 s."""


def load(folder: Path, device: torch.device, batch_size: int) -> Diarization:
    """`folder` holds the weights of both, as `deployments.models.bundled` lays them there."""
    network = CamPlusPlus()
    network.load_state_dict(
        torch.load(folder / EMBEDDING_FILE, map_location="cpu", weights_only=True)
    )
    segmenter = Segmenter(
        Model.from_pretrained(folder / SEGMENTATION_FILE), device, batch_size, STEP
    )
    return Diarization(
        segmenter=segmenter,
        embedder=SpeakerEmbedder(CamPlusPlusTrunk(network, device), device, batch_size),
        clustering=PyannotesClustering(agglomerative(THRESHOLD, MIN_CLUSTER_SIZE)),
        least_clean=round(LEAST_CLEAN * segmenter.grid.frames),
    )
