"""Media files made on the spot, so that decoding is tested without a folder of them."""

import io
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from interchange.stages import SAMPLE_RATE, Float32

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def tone(seconds: float, hertz: float = 440.0, rate: int = SAMPLE_RATE) -> Float32:
    """A sine of amplitude 0.5."""
    time = np.arange(round(seconds * rate), dtype=np.float32) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def encode(
    waveform: npt.NDArray[np.float32] | Sequence[npt.NDArray[np.float32]],
    container: str = "wav",
    codec: str = "pcm_s16le",
    *,
    rate: int = SAMPLE_RATE,
    options: dict[str, str] | None = None,
) -> bytes:
    """A file of `waveform`: (samples,) or (channels, samples), or a list of those as tracks.

    `options` are the muxer's.
    """
    tracks = waveform if isinstance(waveform, list) else [waveform]
    with tempfile.TemporaryDirectory() as folder:
        # By name, since some muxers open their file a second time.
        path = Path(folder) / "media"
        with av.open(path, "w", format=container, container_options=options or {}) as output:
            streams = [output.add_stream(codec, rate=rate) for _ in tracks]
            for track, stream in zip(tracks, streams, strict=True):
                assert isinstance(stream, av.AudioStream)
                stream.codec_context.layout = _LAYOUTS[len(np.atleast_2d(track))]
            for track, stream in zip(tracks, streams, strict=True):
                assert isinstance(stream, av.AudioStream)
                for frame in _frames(np.atleast_2d(track), stream, rate):
                    output.mux(stream.encode(frame))
                output.mux(stream.encode(None))
        return path.read_bytes()


def _frames(
    planes: npt.NDArray[np.float32], stream: av.AudioStream, rate: int
) -> list[av.AudioFrame]:
    context = stream.codec_context
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), "fltp", context.layout.name)
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = 0
    resampler = av.AudioResampler(context.format, context.layout, rate, context.frame_size or None)
    return [*resampler.resample(frame), *resampler.resample(None)]


def silent_video(seconds: float = 1.0) -> bytes:
    """An MP4 with a video track and no other."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=5)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(round(seconds * 5)):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
