"""Log-mel features, of the frames that are needed and no others.

The numbers are those of `transformers`' WhisperFeatureExtractor: a Hann window of 25 ms each
10 ms, the power spectrum through mel filters, log10, clamped at the loudest frame minus 8
decades, then (x + 4) / 4. The audio counts as followed by digital silence up to 30 s.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from interchange.stages import Float32

DECADES = 8.0
"""How far below the loudest frame the features reach."""
FLOOR = 1e-10
"""The least power that the extractor tells from none."""
NOTHING = 1e-30
"""Where no power is told from none: far enough below FLOOR to shift the quietest audio up."""


class LogMel:
    """The features of one checkpoint's extractor, computed on `device`."""

    def __init__(self, extractor: Any, device: torch.device) -> None:
        self._n_fft: int = extractor.n_fft
        self._hop: int = extractor.hop_length
        self.max_frames: int = extractor.nb_max_frames
        self.mels: int = extractor.feature_size
        self._device = device
        self._window = torch.hann_window(self._n_fft, device=device)
        filters = torch.from_numpy(np.ascontiguousarray(extractor.mel_filters.T))
        self._filters = filters.to(device, torch.float32)

    def padded(self, samples: Float32) -> Tensor:
        """The features (mels, max_frames) of audio followed by silence up to 30 s."""
        return self.pad(self._audio(samples, self.max_frames))[0]

    def leveled(self, samples: Float32, frames: int, peak: float) -> Tensor:
        """The first `frames` features (mels, frames), shifted so that their maximum is `peak`.

        A shift of log-mel is a gain: silence then is `peak` - 2 whatever the loudness was. What
        the extractor would take for silence throughout stays silent.
        """
        return self.level(self._audio(samples, frames), frames, peak)[0]

    def pad(self, audio: Tensor) -> Tensor:
        """As `padded`, of audio that lies on the device: (n, samples_for(max_frames))."""
        decades = self._decades(audio, self.max_frames, FLOOR)
        return (torch.maximum(decades, _loudest(decades) - DECADES) + 4) / 4

    def level(self, audio: Tensor, frames: int, peak: float) -> Tensor:
        """As `leveled`, of audio that lies on the device: (n, samples_for(frames))."""
        decades = self._decades(audio, frames, NOTHING)
        loudest = _loudest(decades).clamp(min=math.log10(FLOOR))
        return torch.clamp((decades - loudest) / 4 + peak, min=silence(peak))

    def samples_for(self, frames: int) -> int:
        """How many samples `frames` features look at. Zeros stand for those that there are not."""
        return frames * self._hop + self._n_fft // 2

    def kept(self, samples: int, frames: int) -> int:
        """How many of a window's samples are looked at."""
        return min(samples, self.max_frames * self._hop, self.samples_for(frames))

    def _audio(self, samples: Float32, frames: int) -> Tensor:
        audio = torch.zeros((1, self.samples_for(frames)), device=self._device)
        kept = self.kept(len(samples), frames)
        # What arrives from another replica is read-only, which torch would warn about: copy.
        audio[0, :kept] = torch.tensor(samples[:kept], device=self._device)
        return audio

    def _decades(self, audio: Tensor, frames: int, floor: float) -> Tensor:
        half, needed = self._n_fft // 2, audio.shape[1]
        audio = F.pad(audio[:, None], (half, 0), mode="reflect")[:, 0]
        beyond = needed - self.max_frames * self._hop
        if beyond > 0:
            # The extractor mirrors the audio at the end of its 30 s as it does at its start.
            audio[:, -beyond:] = audio[:, -2 * beyond - 1 : -beyond - 1].flip(1)
        spectrum = torch.stft(
            audio, self._n_fft, self._hop, window=self._window, center=False, return_complex=True
        )
        power = (spectrum[:, :, :frames].abs() ** 2).contiguous()
        return torch.clamp(self._filters @ power, min=floor).log10()


def _loudest(decades: Tensor) -> Tensor:
    return decades.amax((1, 2), keepdim=True)


def silence(peak: float) -> float:
    """The feature of digital silence beside a loudest frame of `peak`."""
    return peak - DECADES / 4
