"""How long a recording is, by its beginning."""

import io
from typing import Any

import av
import numpy as np
import pytest

from serve_app.http.intake.estimate import estimated_seconds

SECONDS = 30


def encoded(container: str, codec: str, rate: int = 16_000, bit_rate: int = 0) -> bytes:
    """Half a minute of noise."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate, layout="mono")
        if bit_rate:
            stream.bit_rate = bit_rate
        noise = np.random.default_rng(1).integers(-9000, 9000, SECONDS * rate).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise[None], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.frame_size)
        for each in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(each))
        output.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate", "bit_rate", "within"),
    [
        ("wav", "pcm_s16le", 16_000, 0, 0.01),
        ("wav", "pcm_s16le", 48_000, 0, 0.01),
        ("wav", "pcm_mulaw", 8_000, 0, 0.01),
        ("flac", "flac", 44_100, 0, 0.01),
        ("mp3", "libmp3lame", 44_100, 128_000, 0.1),
        ("mp3", "libmp3lame", 16_000, 32_000, 0.3),
        ("ogg", "libopus", 48_000, 64_000, 0.5),
    ],
)
def test_the_beginning_tells(
    container: str, codec: str, rate: int, bit_rate: int, within: float
) -> None:
    data = encoded(container, codec, rate, bit_rate)
    assert estimated_seconds(data[:4096], len(data)) == pytest.approx(SECONDS, rel=within)


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"RIFF",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"fLaC",
        b"fLaC" + bytes(40),
        b"ID3",
        b"\xff\xfb",
        b"x",
    ],
)
def test_what_is_cut_short_or_nothing_is_guessed(beginning: bytes) -> None:
    assert 0 <= estimated_seconds(beginning, 80_000) < 60


def test_a_film_is_not_taken_for_hours_of_speech() -> None:
    assert estimated_seconds(b"\0\0\0\x20ftypisom", 10**8) < 3600
