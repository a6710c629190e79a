"""What clients send, as samples at 16 kHz."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast

import av
import numpy as np

from interchange.errors import ClientError
from interchange.stages import SAMPLE_RATE, Int16

Encoding = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]


class InvalidAudio(ClientError):
    code = "invalid_audio"
    param = "audio"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Mono: little-endian 16 bits at `rate`, or G.711 (mu-law, A-law), whose rate is 8 kHz."""

    encoding: Encoding = "audio/pcm"
    rate: int = 24_000

    @property
    def sample_rate(self) -> int:
        return self.rate if self.encoding == "audio/pcm" else 8_000


class AudioDecoder:
    """The bytes of one stream to samples, in pieces of any length."""

    def __init__(self, form: AudioFormat) -> None:
        self._form = form
        self._resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)

    def __call__(self, data: bytes) -> Int16:
        """Raises InvalidAudio for half a sample."""
        samples = self._samples(data)
        if self._form.sample_rate == SAMPLE_RATE or not len(samples):
            return samples
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.sample_rate = self._form.sample_rate
        made = [cast("Int16", each.to_ndarray())[0] for each in self._resampler.resample(frame)]
        return np.concatenate(made) if made else samples[:0]

    def _samples(self, data: bytes) -> Int16:
        if self._form.encoding != "audio/pcm":
            return _g711(self._form.encoding)[np.frombuffer(data, np.uint8)]
        if len(data) % 2:
            raise InvalidAudio(
                f"The audio has {len(data)} bytes, which is half a sample too much: 16-bit audio "
                "comes in pairs of bytes. Send whole samples."
            )
        return np.frombuffer(data, "<i2").astype(np.int16)


@cache
def _g711(encoding: str) -> Int16:
    """The sample of each of the 256 codes, as FFmpeg decodes them."""
    codec: Any = av.AudioCodecContext.create(
        "pcm_mulaw" if encoding == "audio/pcmu" else "pcm_alaw", "r"
    )
    codec.sample_rate, codec.layout = 8_000, "mono"
    (frame,) = codec.decode(av.Packet(bytes(range(256))))
    samples: Int16 = frame.to_ndarray()[0].copy()
    return samples
