"""Speaker embeddings of every chunk from one pass of the network over the recording.

pyannote cuts a recording into 10 s chunks that overlap, and embeds each local speaker of each
chunk: every second passes the embedding network ten times or more. Here it passes once. The
network runs over consecutive blocks, and a chunk's speaker is the mean and standard deviation
of the frames in which that speaker talks, projected as the network projects them. Frames see
0.1 s around them through convolutions and the block through CAM++'s context masks, so which
chunk or speaker they are pooled for makes no difference to them.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.diarization.campplus import CamPlusPlus
from deployments.diarization.filterbank import (
    FRAME_LENGTH,
    FRAME_SHIFT,
    SAMPLE_RATE,
    Filterbank,
)
from interchange.stages import Float32

BLOCK_S = 10
"""Seconds that the network sees at once: as long as a chunk, so that contexts are alike."""

_FRAME = 2 * FRAME_SHIFT
"""Samples between two frames of the network."""
_BLOCK_FRAMES = BLOCK_S * SAMPLE_RATE // _FRAME
_SCALE = 1 / 32768


class SpeakerEmbedder:
    """Embeds the speakers of a recording's chunks.

    `batch_size` is how many blocks pass the network at once.
    """

    def __init__(self, network: CamPlusPlus, device: torch.device, batch_size: int) -> None:
        self._filterbank = Filterbank().to(device)
        self._network = network.eval().to(device)
        self._device = device
        self._batch_size = batch_size

    @torch.inference_mode()
    def embed(
        self,
        waveform: Tensor,
        masks: Float32,
        duration: float,
        step: float,
        progress: Callable[[int, int], None],
    ) -> Float32:
        """(chunks, speakers, dimension) embeddings; NaN where a speaker is silent.

        `waveform` is (samples,) int16 at 16 kHz. `masks` is (chunks, frames, speakers), 1 where
        a speaker talks; chunk n begins at n × `step` seconds and lasts `duration`. `progress`
        is called with (done, total) chunks as they are embedded; what it raises passes through.
        """
        chunks, _, speakers = masks.shape
        embeddings = np.full((chunks, speakers, self._network.dimension), np.nan, np.float32)
        per_chunk = round(duration * SAMPLE_RATE / _FRAME)
        blocks = self._blocks(waveform)
        # Frames of the blocks that the chunk at hand touches: (512, frames), from `first` on.
        frames, first = next(blocks), 0
        for chunk in range(chunks):
            begin = round(chunk * step * SAMPLE_RATE / _FRAME)
            while begin + per_chunk > first + frames.shape[1]:
                following = next(blocks, None)
                if following is None:
                    break
                keep = max(0, begin - first)
                frames, first = torch.cat([frames[:, keep:], following], dim=1), first + keep
            window = frames[:, begin - first : begin - first + per_chunk]
            weights = torch.from_numpy(masks[chunk].T.copy()).to(self._device)
            weights = F.interpolate(weights[None], size=per_chunk, mode="nearest")[0]
            # The last chunk may reach past the end of the recording.
            weights = weights[:, : window.shape[1]]
            talking = weights.sum(dim=1) > 0
            if talking.any():
                statistics = pool(window, weights[talking])
                embeddings[chunk, talking.cpu().numpy()] = (
                    self._network.embed(statistics).cpu().numpy()
                )
            progress(chunk + 1, chunks)
        return embeddings

    def _blocks(self, waveform: Tensor) -> Iterator[Tensor]:
        """(512, frames) of one batch of blocks after the other."""
        samples = len(waveform)
        size = BLOCK_S * SAMPLE_RATE
        for start in range(0, samples, size * self._batch_size):
            whole = min(self._batch_size, (samples - start) // size)
            if whole:
                yield self._frames(waveform, start, whole).transpose(0, 1).flatten(1)
            rest = start + whole * size
            if whole < self._batch_size and rest < samples:
                yield self._frames(waveform, rest, 1)[0]

    def _frames(self, waveform: Tensor, start: int, blocks: int) -> Tensor:
        """(blocks, 512, frames) of consecutive blocks; the last of a recording may be shorter."""
        size = BLOCK_S * SAMPLE_RATE
        # A frame of the filterbank reaches into the next block by its length less its shift.
        reach = FRAME_LENGTH - FRAME_SHIFT
        piece = waveform[start : start + blocks * size + reach].to(self._device).float() * _SCALE
        if blocks == 1:
            missing = FRAME_LENGTH - len(piece)
            features = self._filterbank(F.pad(piece, (0, max(0, missing))))[None]
            features = features[:, : BLOCK_S * SAMPLE_RATE // FRAME_SHIFT]
        else:
            piece = F.pad(piece, (0, blocks * size + reach - len(piece)))
            features = self._filterbank(piece.unfold(0, size + reach, size))
        features = features - features.mean(dim=1, keepdim=True)
        return self._network.frames(features)[..., :_BLOCK_FRAMES]


def pool(frames: Tensor, weights: Tensor) -> Tensor:
    """(channels, frames) pooled by (speakers, frames) weights → (speakers, 2 × channels).

    Means, then standard deviations with Bessel's correction, as the network was trained with.
    """
    total = weights.sum(dim=1, keepdim=True)
    mean = weights @ frames.T / total
    # Deviations from the mean of all frames: squares of raw values would cancel badly.
    centre = frames.mean(dim=1, keepdim=True)
    squares = weights @ (frames - centre).square().T / total
    variance = (squares - (mean - centre.T).square()).clamp(min=0)
    variance = variance * total / (total - 1).clamp(min=1)
    return torch.cat([mean, variance.sqrt()], dim=1)
