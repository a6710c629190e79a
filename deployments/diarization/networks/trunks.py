"""The embedding networks, each in the two steps that `embeddings.Trunk` asks for."""

from typing import Any

import torch
from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet
from torch import Tensor

from deployments.diarization.networks.campplus import CamPlusPlus
from deployments.diarization.networks.campplus_integers import IntegerFrames
from deployments.diarization.networks.filterbank import FRAME_LENGTH, FRAME_SHIFT, Filterbank
from deployments.diarization.networks.recorded import Recorded
from interchange.stages import SAMPLE_RATE

_CAMPPLUS_BLOCK_S = 4
"""Seconds that the network sees at once: it was trained on 3 s, of one voice."""
_RESNET_BLOCK_S = 10
"""As long as a chunk: the mean of that much is removed where pyannote runs it."""


class CamPlusPlusTrunk:
    """CAM++ with the filterbanks that it was trained on, in `dtype`; int16 stands for products of
    16-bit integers, on a CPU."""

    hop = 2 * FRAME_SHIFT
    reach = FRAME_LENGTH - FRAME_SHIFT
    block = _CAMPPLUS_BLOCK_S * SAMPLE_RATE // hop

    def __init__(
        self,
        network: CamPlusPlus,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        recorded: bool = False,
    ) -> None:
        self._filterbank = Filterbank().to(device)
        integers = dtype == torch.int16
        self._network = network.folded(torch.float32 if integers else dtype).to(device)
        self._frames = IntegerFrames(network) if integers else network.frames
        self._recorded = Recorded(self._frames, enabled=recorded)
        self.dimension = network.dimension

    def frames(self, waveforms: Tensor) -> Tensor:
        features = self._filterbank(waveforms)
        features = features - features.mean(dim=1, keepdim=True)
        whole = waveforms.shape[1] == self.block * self.hop + self.reach
        return self._recorded(features) if whole else self._frames(features)

    def embed(self, statistics: Tensor) -> Tensor:
        return self._network.embed(statistics)


class WeSpeakerTrunk:
    """WeSpeaker's residual networks, as pyannote publishes them."""

    def __init__(self, model: BaseWeSpeakerResNet, device: torch.device) -> None:
        self._model = model.eval().to(device)
        rate = model.hparams.sample_rate
        shift = round(rate * model.hparams.frame_shift / 1000)
        # Three of its four stages halve the frame rate.
        self.hop = 8 * shift
        self.reach = round(rate * model.hparams.frame_length / 1000) - shift
        self.block = _RESNET_BLOCK_S * rate // self.hop
        self.dimension: int = model.dimension

    @staticmethod
    def fits(model: Any) -> bool:
        return isinstance(model, BaseWeSpeakerResNet) and not model.resnet.two_emb_layer

    def frames(self, waveforms: Tensor) -> Tensor:
        # (blocks, channels, bins, frames)
        found: Tensor = self._model.forward_frames(waveforms.unsqueeze(1))
        return found.flatten(1, 2).transpose(1, 2)

    def embed(self, statistics: Tensor) -> Tensor:
        found: Tensor = self._model.resnet.seg_1(statistics)
        return found
