"""pyannote's diarization pipeline on the bundled models.

The class is pyannote's own; two of its steps are done in another way, which changes their cost
and not their meaning: embeddings come from one pass over the recording (`embeddings.py`), and
clustering looks at a bounded number of them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pyannote.audio import Model
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import AgglomerativeClustering

from deployments.diarization.campplus import CamPlusPlus
from deployments.diarization.embeddings import SpeakerEmbedder
from interchange.stages import SAMPLE_RATE, Float32

SEGMENTATION_FILE = "pytorch_model.bin"
EMBEDDING_FILE = "campplus_cn_en_common.pt"

STEP = 0.1
"""Step between chunks as a share of their 10 s."""
THRESHOLD = 0.7
"""Distance of unit vectors beyond which two clusters are two speakers."""
MIN_CLUSTER_SIZE = 5
"""Chunks (of a speaker each) below which a cluster joins its nearest larger one."""
MAX_CLUSTERED = 8_000
"""Embeddings that are clustered; the others go to the nearest cluster. Distances between all
of them cost 4 × n² bytes: 0.25 GB here, 12 GB for ten hours unbounded."""


class BundledDiarization(SpeakerDiarization):
    """segmentation-3.0 and CAM++ with agglomerative clustering."""

    def __init__(self, folder: Path, device: torch.device, batch_size: int) -> None:
        network = CamPlusPlus()
        network.load_state_dict(
            torch.load(folder / EMBEDDING_FILE, map_location="cpu", weights_only=True)
        )
        super().__init__(
            segmentation=Model.from_pretrained(folder / SEGMENTATION_FILE),
            segmentation_step=STEP,
            segmentation_batch_size=batch_size,
            embedding=_Declared(network.dimension),
            plda=NoPlda(),
            clustering="AgglomerativeClustering",
        )
        self.clustering = _BoundedClustering(metric="cosine")
        self.to(device)
        self.instantiate(
            {
                "segmentation": {"min_duration_off": 0.0},
                "clustering": {
                    "method": "centroid",
                    "threshold": THRESHOLD,
                    "min_cluster_size": MIN_CLUSTER_SIZE,
                },
            }
        )
        self.embedder = SpeakerEmbedder(network, device, batch_size)

    def get_embeddings(
        self,
        file: Mapping[str, Any],
        binary_segmentations: Any,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,
    ) -> Float32:
        """In place of pyannote's: the same shapes, from one pass over the recording."""
        masks = np.nan_to_num(binary_segmentations.data).astype(np.float32)

        def progress(done: int, total: int) -> None:
            if hook is not None:
                hook("embeddings", None, completed=done, total=total)

        window = binary_segmentations.sliding_window
        return self.embedder.embed(
            file["waveform"][0], alone(masks), window.duration, window.step, progress
        )


def alone(masks: Float32) -> Float32:
    """Masks without the frames in which several talk, unless little else is left.

    (chunks, frames, speakers). Overlapped speech blurs an embedding, but half a second of clean
    speech is not enough for one.
    """
    enough = 0.05 * masks.shape[1]
    clean = masks * (masks.sum(axis=2, keepdims=True) < 2)
    return np.where(clean.sum(axis=1, keepdims=True) > enough, clean, masks)


class _BoundedClustering(AgglomerativeClustering):
    """Clusters an even selection of the embeddings where there are very many."""

    def filter_embeddings(
        self, embeddings: Float32, segmentations: Any = None, min_active_ratio: float = 0.2
    ) -> tuple[Float32, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        kept, chunks, speakers = super().filter_embeddings(
            embeddings, segmentations, min_active_ratio
        )
        if len(kept) > MAX_CLUSTERED:
            chosen = np.linspace(0, len(kept) - 1, MAX_CLUSTERED).round().astype(np.intp)
            kept, chunks, speakers = kept[chosen], chunks[chosen], speakers[chosen]
        return kept, chunks, speakers


class _Declared(Model):
    """What pyannote asks about an embedding model; `get_embeddings` does its work."""

    def __init__(self, dimension: int) -> None:
        super().__init__(sample_rate=SAMPLE_RATE)
        self.dimension = dimension


class NoPlda(PLDA):
    """pyannote loads one whatever the clustering; agglomerative clustering never asks it."""

    def __init__(self) -> None:
        pass
