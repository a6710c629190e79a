"""Media files made on the spot, so that decoding is tested without a folder of them."""

import io
import struct
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from interchange.stages import SAMPLE_RATE, Float32

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}


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
                count = len(np.atleast_2d(track))
                stream.codec_context.layout = _LAYOUTS.get(count, f"{count} channels")
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
    packed = np.ascontiguousarray(planes.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", context.layout.name)
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = 0
    resampler = av.AudioResampler(context.format, context.layout, rate, context.frame_size or None)
    return [*resampler.resample(frame), *resampler.resample(None)]


def wav(
    waveform: npt.NDArray[np.float32], *, rate: int = SAMPLE_RATE, announced: int | None = None
) -> bytes:
    """16-bit PCM of any number of channels, with a size in the header that may be none."""
    planes = np.atleast_2d(waveform)
    sound = np.rint(planes.T * 32767).astype("<i2").tobytes()
    frame = 2 * len(planes)
    return b"".join(
        (
            struct.pack("<4sI8sI", b"RIFF", 36 + len(sound), b"WAVEfmt ", 16),
            struct.pack("<HHIIHH", 1, len(planes), rate, rate * frame, frame, 16),
            struct.pack("<4sI", b"data", len(sound) if announced is None else announced),
            sound,
        )
    )


def caf(waveform: npt.NDArray[np.float32], labels: Sequence[int]) -> bytes:
    """16-bit PCM in Apple's container, each channel with the label of a loudspeaker."""
    planes = np.atleast_2d(waveform)
    sound = np.rint(planes.T * 32767).astype(">i2").tobytes()
    count = len(planes)
    kind = struct.pack(">d4sIIIII", SAMPLE_RATE, b"lpcm", 0, 2 * count, 1, count, 16)
    order = struct.pack(">III", 0, 0, count)
    order += b"".join(struct.pack(">II12x", label, 0) for label in labels)
    chunks = ((b"desc", kind), (b"chan", order), (b"data", bytes(4) + sound))
    return struct.pack(">4sHH", b"caff", 1, 0) + b"".join(
        name + struct.pack(">q", len(body)) + body for name, body in chunks
    )


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
