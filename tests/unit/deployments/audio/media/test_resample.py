import gc
import io
from fractions import Fraction

import av
import numpy as np
import pytest

from deployments.audio.decode import Decoder
from deployments.audio.media.parts import parts
from deployments.audio.media.resample import MOST_CHANNELS, planes, samples
from deployments.audio.media.tracks import Report, decode
from interchange.errors import UndecodableRecording
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.media import caf, encode, tone, wav


def tones(channels: int, rate: int, seconds: float = 0.7) -> Float32:
    """Another frequency in each channel, so that each one is found again."""
    return np.stack([0.5 * tone(seconds, 200 + 8 * i, rate) for i in range(channels)])


def decoded(data: bytes) -> Float32:
    pieces = [piece for part in parts(io.BytesIO(data)) for _, piece in decode(part, Report())]
    return np.concatenate(pieces, axis=1)


def frequencies(channels: Float32) -> list[int]:
    half_a_second = channels[:, 2000:10_000]
    return [2 * int(bin_) for bin_ in np.abs(np.fft.rfft(half_a_second)).argmax(axis=1)]


COUNTS = [
    *[("wav", "pcm_s16le", count, 8_000) for count in range(1, 65)],
    *[("wav", "pcm_s24le", count, 44_100) for count in (8, 9, 16, 24, 60, 64)],
    *[("wav", "pcm_f32le", count, 16_000) for count in (8, 17, 64)],
    *[("wav", "pcm_u8", count, 8_000) for count in (7, 8, 33)],
    *[("flac", "flac", count, rate) for count in range(1, 9) for rate in (16_000, 96_000)],
    *[("mp4", "aac", count, rate) for count in (1, 2, 6, 8, 16) for rate in (16_000, 48_000)],
    *[("adts", "aac", count, 44_100) for count in (1, 2, 6)],
    *[("ogg", "libopus", count, 48_000) for count in (1, 2, 6, 8)],
    *[("webm", "libopus", count, 48_000) for count in (2, 8)],
    *[("wv", "wavpack", count, 48_000) for count in (8, 24)],
    *[("tta", "tta", count, 44_100) for count in (8, 12)],
    *[("matroska", "pcm_s16le", count, 192_000) for count in (8, 20)],
    *[("aiff", "pcm_s16be", count, 22_050) for count in (8, 20)],
    *[("caf", "pcm_s16be", count, 96_000) for count in (8, 24)],
    *[("au", "pcm_s16be", count, 11_025) for count in (8, 30)],
    *[("w64", "pcm_s16le", count, 48_000) for count in (8, 10)],
]


@pytest.mark.parametrize(("container", "codec", "channels", "rate"), COUNTS)
def test_every_channel_is_there_once(container: str, codec: str, channels: int, rate: int) -> None:
    found = decoded(encode(tones(channels, rate), container, codec, rate=rate))
    assert found.shape[1] == pytest.approx(0.7 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)
    expected = [200 + 8 * i for i in range(channels)]
    heard = frequencies(found)
    if codec == "aac" and channels in (6, 8):
        del expected[3], heard[3]  # the encoder keeps the bass of that one only
    assert heard == expected


@pytest.mark.parametrize("channels", [65, 127, 128, 200, 255, 256, MOST_CHANNELS])
def test_more_channels_than_ffmpeg_resamples(channels: int) -> None:
    found = decoded(wav(tones(channels, 11_025), rate=11_025))
    assert frequencies(found) == [200 + 8 * i for i in range(channels)]


@pytest.mark.parametrize("channels", [70, 130])
def test_more_of_them_in_planes_of_their_own(channels: int) -> None:
    """What no encoder at hand makes, and libopus decodes: frames of that many planes."""
    frame = av.AudioFrame("fltp", f"{channels} channels", 10)
    for number, plane in enumerate(planes(frame)):
        plane[:] = np.full(10, number, np.float32).tobytes()
    expected = np.random.default_rng(0).standard_normal((channels, 10)).astype(np.float32)
    fifo = av.AudioFifo()
    packed = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(expected.T).reshape(1, -1), "flt", f"{channels} channels"
    )
    packed.sample_rate = frame.sample_rate = 48_000
    np.testing.assert_array_equal(samples(packed), expected)
    fifo.write(frame)
    read = fifo.read()
    assert read is not None
    np.testing.assert_array_equal(samples(read)[:, 0], np.arange(channels))


@pytest.mark.parametrize("channels", [MOST_CHANNELS + 1, 1000, 65_535])
def test_counts_that_cannot_be_are_a_sentence(channels: int) -> None:
    data = bytearray(wav(np.zeros((1, 70_000), np.float32)))
    data[22:24] = channels.to_bytes(2, "little")
    data[32:34] = (2 * channels % 65_536).to_bytes(2, "little")
    with pytest.raises(UndecodableRecording, match=r"[a-z ]+\.$"):
        list(Decoder(io.BytesIO(bytes(data)), max_duration_s=60))


@pytest.mark.slow
@pytest.mark.parametrize(
    "labels", [(1, 2), (2, 1), (3, 1, 2), (3, 1, 2, 5, 6, 4), (42,) * 5, (0xFFFF_FFFF, 1, 2)]
)
def test_an_order_that_nobody_has_a_name_for(labels: tuple[int, ...]) -> None:
    """PyAV frees it twice, which ends the process sooner or later."""
    data = caf(tones(len(labels), SAMPLE_RATE), labels)
    for _ in range(5):
        assert len(decoded(data)) == len(labels)
        gc.collect()


@pytest.mark.parametrize("kind", ["u8", "s16", "s32", "s64", "flt", "dbl"])
@pytest.mark.parametrize("planar", ["", "p"])
@pytest.mark.parametrize("channels", [1, 7, 8, 40])
def test_samples_of_every_format(kind: str, planar: str, channels: int) -> None:
    rng = np.random.default_rng(2)
    expected = (rng.integers(-128, 128, (channels, 50)) / 128).astype(np.float32)
    made = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(expected.T).reshape(1, -1), "flt", f"{channels} channels"
    )
    made.sample_rate, made.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
    converted = av.AudioResampler(kind + planar, f"{channels} channels").resample(made)[0]
    np.testing.assert_allclose(samples(converted), expected, atol=1 / 2**15)
