"""The bundled pair of models: segmentation-3.0 of pyannote, and CAM++ of 3D-Speaker."""

from pathlib import Path

import torch
from pyannote.audio import Model

from deployments.diarization.diarization import Diarization
from deployments.diarization.embeddings import SpeakerEmbedder
from deployments.diarization.networks.campplus import CamPlusPlus
from deployments.diarization.networks.trunks import CamPlusPlusTrunk
from deployments.diarization.networks.workers import Workers
from deployments.diarization.segmentation import Segmenter
from deployments.diarization.sparing import NONE_SPARED, Sparing
from deployments.diarization.speakers.parts import Parting
from deployments.diarization.speakers.similarity import SimilarityClustering
from deployments.diarization.speakers.voices import VoiceLimits

SEGMENTATION_FILE = "pytorch_model.bin"
EMBEDDING_FILE = "campplus_cn_en_common.pt"

STEP = 0.199
"""Step between chunks as a share of their 10 s: 118 frames, as docs/diarization.md counts with."""
SPARING = Sparing(dense_s=30.0, every=3, apart=0.05)
"""What a CPU looks at beyond the first half minute; the table is in docs/diarization.md."""
LEAST_CLEAN = 0.05
"""Half a second of a chunk's 10 s."""
GAP_S = 1.0
"""A turn goes on over shorter pauses in which nobody else talks."""
PARTS_ALIKE = 0.50
"""Parts of a local speaker that are less alike are of two people."""
RECORDED_FROM = 64
"""Blocks in a batch from which CAM++ is recorded on a GPU: that holds half a gigabyte, which a
small card with small batches does not have."""
VOICES = VoiceLimits(same=0.45, several=0.40)
"""By `benchmarks.diarization.known`; its table is in docs/diarization.md."""


def load(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    batch_size: int,
    step: float = STEP,
    *,
    workers: Workers | None = None,
    sparing: Sparing | None = None,
) -> Diarization:
    """`folder` holds the weights of both, as `deployments.models.bundled` lays them there.

    `dtype` is what CAM++ multiplies in; int16, which stands for 16-bit integers on a CPU, is what
    segmentation multiplies in as well. In bfloat16 its LSTMs would give enough frames to somebody
    else to cost errors, and all of it stays in float32. Without `sparing`, a CPU spares chunks, and
    a GPU does not: there it would be one pass more for fewer chunks, which nobody has measured.
    """
    network = CamPlusPlus()
    network.load_state_dict(
        torch.load(folder / EMBEDDING_FILE, map_location="cpu", weights_only=True)
    )
    segmenter = Segmenter(
        Model.from_pretrained(folder / SEGMENTATION_FILE),
        device,
        batch_size,
        step,
        workers=workers,
        sparing=sparing or (SPARING if device.type == "cpu" else NONE_SPARED),
        integers=dtype == torch.int16,
    )
    recorded = device.type == "cuda" and batch_size >= RECORDED_FROM
    trunk = CamPlusPlusTrunk(network, device, dtype, recorded=recorded)
    return Diarization(
        segmenter=segmenter,
        embedder=SpeakerEmbedder(trunk, device, batch_size, workers),
        clustering=SimilarityClustering(whole=segmenter.speakers),
        parting=Parting(PARTS_ALIKE),
        voices=VOICES,
        least_clean=round(LEAST_CLEAN * segmenter.grid.frames),
        quiet_gap=GAP_S,
    )
