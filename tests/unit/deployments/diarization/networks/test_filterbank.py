import pytest
import torch

from deployments.diarization.networks.filterbank import Filterbank


@pytest.mark.parametrize("samples", [400, 8_000, 16_000])
def test_equals_kaldis(samples: int) -> None:
    from torchaudio.compliance import kaldi

    torch.manual_seed(0)
    waveform = torch.randn(samples) * 0.1
    expected = kaldi.fbank(waveform[None], num_mel_bins=80, dither=0.0, sample_frequency=16_000)
    torch.testing.assert_close(Filterbank()(waveform), expected, atol=2e-3, rtol=1e-3)


def test_takes_batches() -> None:
    waveforms = torch.randn(3, 4_000)
    together = Filterbank()(waveforms)
    apart = torch.stack([Filterbank()(waveform) for waveform in waveforms])
    torch.testing.assert_close(together, apart)
