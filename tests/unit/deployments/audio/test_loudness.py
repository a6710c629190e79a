import numpy as np
import pytest

from deployments.audio.loudness import PeakMeter
from interchange.stages import SAMPLE_RATE


def fed(samples: np.ndarray, block: int) -> PeakMeter:
    meter = PeakMeter()
    for start in range(0, len(samples), block):
        meter.feed(samples[start : start + block].astype(np.float32))
    return meter


@pytest.mark.parametrize("block", [1, 799, 800, 5000, 10**6])
def test_each_peak_is_the_loudest_of_its_step(block: int) -> None:
    seconds = 1 if block == 1 else 20
    samples = np.random.default_rng(7).uniform(-1, 1, round(seconds * SAMPLE_RATE) + 123)
    found = fed(samples, block).waveform()
    step = round(found.step * SAMPLE_RATE)
    parts = [samples[start : start + step] for start in range(0, len(samples), step)]
    assert found.peaks == tuple(round(float(np.abs(part).max()) * 255) for part in parts)


@pytest.mark.parametrize("block", [16_000, 77_777])
def test_a_long_recording_has_no_more_peaks_than_a_screen_shows(block: int) -> None:
    hours = np.zeros(round(1.1 * 3600 * SAMPLE_RATE), np.float32)
    hours[1800 * SAMPLE_RATE] = -0.5
    found = fed(hours, block).waveform()
    assert 2000 < len(found.peaks) <= 4097
    assert len(found.peaks) == -(-len(hours) // round(found.step * SAMPLE_RATE))
    assert [index for index, peak in enumerate(found.peaks) if peak] == [int(1800 / found.step)]
    assert max(found.peaks) == 128


def test_what_is_too_loud_is_as_loud_as_can_be() -> None:
    assert fed(np.full(800, -3.0), 800).waveform().peaks == (255,)
    assert PeakMeter().waveform().peaks == ()
