import io
from fractions import Fraction

import av
import numpy as np
import pytest

from deployments.audio.decode import Decoder
from deployments.audio.media.timeline import fill_gaps
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.media import tone

RATE = 8000


def frame(start_s: float | None, seconds: float = 0.5) -> av.AudioFrame:
    samples = np.full((1, round(seconds * RATE)), 0.5, np.float32)
    made = av.AudioFrame.from_ndarray(samples, "flt", "mono")
    made.sample_rate = RATE
    made.time_base = Fraction(1, 1000)
    made.pts = None if start_s is None else round(start_s * 1000)
    return made


def laid_out(frames: list[av.AudioFrame], start_s: float | None = 0.0) -> list[tuple[float, bool]]:
    """Of each frame that comes out: its seconds, and whether it is one that went in."""
    known = {id(each) for each in frames}
    return [
        (each.samples / each.sample_rate, id(each) in known) for each in fill_gaps(frames, start_s)
    ]


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


@pytest.mark.parametrize("kind", ["u8", "u8p", "s16", "fltp", "dbl"])
def test_silence_is_silent_in_every_sample_format(kind: str) -> None:
    frames = [frame(0), frame(1.5), frame(2)]
    converted = []
    for each in frames:
        pts = each.pts
        resampler = av.AudioResampler(kind, "stereo", RATE)
        made = resampler.resample(each)[0]
        made.pts, made.time_base = pts, Fraction(1, 1000)
        converted.append(made)
    silent = [each for each in fill_gaps(converted, 0.0) if each not in converted]
    assert [each.samples for each in silent] == [RATE]
    back = av.AudioResampler("flt", "mono", RATE).resample(silent[0])[0].to_ndarray()
    assert np.abs(back).max() < 1e-6


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
