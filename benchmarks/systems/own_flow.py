"""pyannote's own flow with the bundled models: its pipeline with the parameters it is published
with (speaker-diarization-3.1), each chunk and local speaker embedded by itself."""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.blocks.pooling import StatsPool
from pyannote.audio.pipelines import SpeakerDiarization
from torch import Tensor

from deployments.diarization.bundled import EMBEDDING_FILE, SEGMENTATION_FILE
from deployments.diarization.networks.campplus import CamPlusPlus
from deployments.diarization.networks.trunks import CamPlusPlusTrunk
from deployments.diarization.published import NoPlda
from deployments.models.resolve import resolve
from interchange.stages import Int16
from interchange.transcript import Turn

PARAMETERS: dict[str, dict[str, Any]] = {
    "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799},
    "segmentation": {"min_duration_off": 0.0},
}
_BATCH = 32


class CamPlusPlusModel(Model):  # type: ignore[misc]
    """CAM++ as a model of pyannote: whole chunks, masks weigh the pooling."""

    def __init__(self, network: CamPlusPlus) -> None:
        super().__init__()
        self._trunk = [CamPlusPlusTrunk(network, torch.device("cpu"))]  # no weights of its own
        self.pool = StatsPool()
        self.specifications = Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=10.0
        )

    @cached_property
    def dimension(self) -> int:
        return self._trunk[0].dimension

    def forward(self, waveforms: Tensor, weights: Tensor | None = None) -> Tensor:
        """(batch, 1, samples), (batch, frames) → (batch, dimension)."""
        trunk = self._trunk[0]
        frames = trunk.frames(waveforms[:, 0]).transpose(1, 2)
        return trunk.embed(self.pool(frames, weights))


class OwnFlow:
    """The pipeline, loaded."""

    def __init__(self, **clustering: Any) -> None:
        """`clustering` replaces some of the published parameters."""
        folder: Path = resolve("bundled:diarization", None, None)
        network = CamPlusPlus()
        network.load_state_dict(
            torch.load(folder / EMBEDDING_FILE, map_location="cpu", weights_only=True)
        )
        self._pipeline = SpeakerDiarization(
            segmentation=Model.from_pretrained(folder / SEGMENTATION_FILE),
            embedding=CamPlusPlusModel(network),
            embedding_exclude_overlap=True,
            plda=NoPlda(),
            clustering="AgglomerativeClustering",
            segmentation_batch_size=_BATCH,
            embedding_batch_size=_BATCH,
        )
        parameters = PARAMETERS | {"clustering": PARAMETERS["clustering"] | clustering}
        self._pipeline.instantiate(parameters)

    def turns(self, samples: Int16) -> tuple[Turn, ...]:
        """Who talks when in (samples,) int16 at 16 kHz."""
        waveform = torch.from_numpy(samples).float().unsqueeze(0) / 32768
        found = self._pipeline({"waveform": waveform, "sample_rate": 16_000, "uri": "recording"})
        return tuple(
            Turn(segment.start, segment.end, str(speaker))
            for segment, _, speaker in found.speaker_diarization.itertracks(yield_label=True)
        )
