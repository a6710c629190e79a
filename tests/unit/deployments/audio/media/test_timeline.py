import io
from fractions import Fraction

import av
import numpy as np
import pytest

from deployments.audio.decode import Decoder
from deployments.audio.media.resample import planes, samples
from deployments.audio.media.timeline import fill_gaps
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.media import tone

RATE = 8000


def frame(start_s: float | None, seconds: float = 0.5) -> av.AudioFrame:
    constant = np.full((1, round(seconds * RATE)), 0.5, np.float32)
    made = av.AudioFrame.from_ndarray(constant, "flt", "mono")
    made.sample_rate = RATE
    made.time_base = Fraction(1, 1000)
    made.pts = None if start_s is None else round(start_s * 1000)
    return made


def laid_out(frames: list[av.AudioFrame], start_s: float | None = 0.0) -> list[tuple[float, bool]]:
    """Of each frame that comes out: its seconds, and whether it is one that went in."""
    known = {id(each) for each in frames}
    filled = fill_gaps(frames, start_s, [])
    return [(each.samples / each.sample_rate, id(each) in known) for each in filled]


def test_frames_that_follow_each_other_are_left_alone() -> None:
    frames = [frame(0), frame(0.5), frame(1.1), frame(1.5)]
    assert laid_out(frames) == [(0.5, True)] * 4


def test_a_gap_becomes_silence_of_its_length() -> None:
    frames = [frame(0), frame(3), frame(3.5)]
    assert laid_out(frames) == [
        (0.5, True),
        (1.0, False),
        (1.0, False),
        (0.5, False),
        (0.5, True),
        (0.5, True),
    ]


def test_gaps_are_told_but_not_that_a_track_starts_late() -> None:
    gaps: list[float] = []
    frames = [frame(1), frame(1.5), frame(4), frame(4.5), frame(6), frame(6.5)]
    list(fill_gaps(frames, 0.0, gaps))
    assert gaps == pytest.approx([2, 1])


def test_a_track_that_starts_late_does_so_in_the_recording() -> None:
    frames = [frame(11), frame(11.5)]
    assert laid_out(frames, 10) == [(1.0, False), (0.5, True), (0.5, True)]
    assert laid_out(frames, None) == [(0.5, True), (0.5, True)]


@pytest.mark.parametrize(
    "starts",
    [
        [0, 100, 1],  # one timestamp is wrong
        [0, 0.5, 7200, 7200.5],  # more than an hour
        [5, 5.5, 0, 0.5, 1],  # begins anew
        [None, None, None],
    ],
)
def test_faults_of_the_timestamps_are_no_gaps(starts: list[float | None]) -> None:
    frames = [frame(start) for start in starts]
    assert laid_out(frames, starts[0]) == [(0.5, True)] * len(starts)


def test_a_gap_after_a_fault_is_still_seen() -> None:
    frames = [frame(5), frame(5.5), frame(0), frame(0.5), frame(2), frame(2.5)]
    assert sum(not known for _, known in laid_out(frames, 5)) == 1


@pytest.mark.parametrize("layout", ["stereo", "7.1", "16 channels", "64 channels"])
@pytest.mark.parametrize("kind", ["u8", "u8p", "s16", "fltp", "dbl"])
def test_silence_is_silent_in_every_sample_format(kind: str, layout: str) -> None:
    frames = []
    for start_ms in (0, 1500, 2000):
        made = av.AudioFrame(kind, layout, RATE // 2)
        for plane in planes(made):
            plane[:] = b"\x11" * len(plane)
        made.sample_rate, made.time_base, made.pts = RATE, Fraction(1, 1000), start_ms
        frames.append(made)
    silent = [each for each in fill_gaps(frames, 0.0, []) if each not in frames]
    assert [each.samples for each in silent] == [RATE]
    assert np.abs(samples(silent[0])).max() == 0
    assert samples(silent[0]).shape == (silent[0].layout.nb_channels, RATE)


def with_a_gap(samples: Float32, cut: int, gap_s: float) -> bytes:
    """A Matroska file that says nothing for `gap_s` after sample `cut`."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=SAMPLE_RATE)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        for start in range(0, len(samples), 1600):
            piece = np.rint(samples[None, start : start + 1600] * 32767).astype(np.int16)
            part = av.AudioFrame.from_ndarray(piece, "s16", "mono")
            part.sample_rate = SAMPLE_RATE
            part.time_base = Fraction(1, SAMPLE_RATE)
            part.pts = start + (round(gap_s * SAMPLE_RATE) if start >= cut else 0)
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_times_after_a_gap_in_a_file_are_those_of_the_file() -> None:
    samples = tone(4)
    data = with_a_gap(samples, 2 * SAMPLE_RATE, 5)
    decoded = np.concatenate(list(Decoder(io.BytesIO(data), max_duration_s=60)))
    assert len(decoded) == pytest.approx(9 * SAMPLE_RATE, abs=32)
    assert not decoded[round(2.1 * SAMPLE_RATE) : round(6.9 * SAMPLE_RATE)].any()
    np.testing.assert_allclose(decoded[: 2 * SAMPLE_RATE], samples[: 2 * SAMPLE_RATE], atol=1e-3)
    assert np.abs(decoded[7 * SAMPLE_RATE + 100 :]).max() > 0.4
