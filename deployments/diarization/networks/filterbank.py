"""Log-mel filterbanks as Kaldi computes them.

Speaker networks are trained on these features, not on Whisper's: 25 ms frames every 10 ms
without padding, the mean removed frame by frame, pre-emphasis, a "povey" window, the power
spectrum in triangles on the mel scale from 20 Hz to Nyquist, natural logarithm.

Source: D. Povey et al., "The Kaldi Speech Recognition Toolkit", ASRU 2011 (feat/feature-fbank).
Written out here because torchaudio's version takes one waveform at a time.
"""

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16_000
FRAME_LENGTH = 400
FRAME_SHIFT = 160
_FFT_LENGTH = 512
_PREEMPHASIS = 0.97
_LOWEST_HZ = 20.0


def _mel(hertz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(hertz / 700.0)


def _triangles(num_mel_bins: int) -> Tensor:
    """(bins, FFT bins) weights; Kaldi draws its triangles on the mel axis, not in hertz."""
    low, high = _mel(torch.tensor([_LOWEST_HZ, SAMPLE_RATE / 2], dtype=torch.float64))
    corners = torch.linspace(float(low), float(high), num_mel_bins + 2, dtype=torch.float64)
    left, centre, right = (corners[i : i + num_mel_bins, None] for i in range(3))
    bins = _mel(torch.arange(_FFT_LENGTH // 2, dtype=torch.float64) * (SAMPLE_RATE / _FFT_LENGTH))
    weights = torch.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    # Kaldi gives the Nyquist bin no weight.
    return nn.functional.pad(weights.clamp(min=0.0), (0, 1)).float()


class Filterbank(nn.Module):
    """Waveforms to Kaldi's log-mel filterbanks."""

    window: Tensor
    triangles: Tensor

    def __init__(self, num_mel_bins: int = 80) -> None:
        super().__init__()
        povey = torch.hann_window(FRAME_LENGTH, periodic=False) ** 0.85
        self.register_buffer("window", povey, persistent=False)
        self.register_buffer("triangles", _triangles(num_mel_bins).T.contiguous(), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """(..., samples) in [-1, 1] at 16 kHz → (..., frames, bins); at least 400 samples."""
        frames = waveforms.unfold(-1, FRAME_LENGTH, FRAME_SHIFT)
        frames = frames - frames.mean(dim=-1, keepdim=True)
        previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
        frames = (frames - _PREEMPHASIS * previous) * self.window
        power = torch.fft.rfft(frames, n=_FFT_LENGTH).abs().square()
        floor = torch.finfo(power.dtype).eps
        filterbanks: Tensor = (power @ self.triangles).clamp(min=floor).log()
        return filterbanks
