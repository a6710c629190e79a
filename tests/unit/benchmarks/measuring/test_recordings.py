"""Recordings that are made of others."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.measuring.recordings import beginning, repeated, seconds, waveform
from tests.support.recordings.media import encode, tone


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "tone.flac"
    path.write_bytes(encode(tone(2.0), "flac", "flac"))
    return path


def test_a_recording_is_repeated(recording: Path, tmp_path: Path) -> None:
    longer = repeated(recording, 3, tmp_path / "longer.mka")
    assert seconds(longer) == pytest.approx(6.0, abs=0.05)
    samples, once = waveform(longer), waveform(recording)
    assert len(samples) == pytest.approx(3 * len(once), abs=1000)
    np.testing.assert_allclose(samples[: len(once) - 1000], once[:-1000], atol=1e-3)


def test_the_beginning_of_a_recording(recording: Path, tmp_path: Path) -> None:
    part = beginning(recording, 0.8, tmp_path / "part.mka")
    assert len(waveform(part)) / 16_000 == pytest.approx(0.8, abs=0.3)
