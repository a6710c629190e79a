from typing import Any

import av
import numpy as np
import pytest

from interchange.stages import SAMPLE_RATE, Int16
from serve_app.live.audio import AudioDecoder, AudioFormat, InvalidAudio
from serve_app.live.hearing import AudioBuffer


def _tone(rate: int, seconds: float = 1.0) -> Int16:
    at = np.arange(round(rate * seconds)) / rate
    return (12_000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("frame", [1, 37, 1200, 100_000])
def test_pcm_of_any_rate_in_pieces_of_any_length(rate: int, frame: int) -> None:
    data = _tone(rate).tobytes()
    decode = AudioDecoder(AudioFormat("audio/pcm", rate))
    made = np.concatenate(
        [decode(data[start : start + 2 * frame]) for start in range(0, len(data), 2 * frame)]
    )
    assert abs(len(made) - SAMPLE_RATE) < 200
    wanted = _tone(SAMPLE_RATE)[: len(made)].astype(float)
    assert np.corrcoef(made[500:-500], wanted[500 : len(made) - 500])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("encoding", "codec"), [("audio/pcmu", "pcm_mulaw"), ("audio/pcma", "pcm_alaw")]
)
def test_g711(encoding: str, codec: str) -> None:
    encoder: Any = av.AudioCodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8_000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(_tone(8_000).reshape(1, -1), "s16", "mono")
    frame.sample_rate = 8_000
    data = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    made = AudioDecoder(AudioFormat(encoding))(data)  # type: ignore[arg-type]
    wanted = _tone(SAMPLE_RATE)[: len(made)]
    assert len(made) > 0.9 * SAMPLE_RATE
    assert np.corrcoef(made[500:-500], wanted[500 : len(made) - 500])[0, 1] > 0.99


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(InvalidAudio, match="whole samples"):
        AudioDecoder(AudioFormat())(b"\0\0\0")


def test_nothing_is_nothing() -> None:
    assert len(AudioDecoder(AudioFormat())(b"")) == 0


def test_a_buffer_gives_what_it_holds() -> None:
    buffer = AudioBuffer()
    for start in range(0, 100, 10):
        buffer.append(np.arange(start, start + 10, dtype=np.int16))
    assert buffer.cut(15, 42).tolist() == list(range(15, 42))
    buffer.drop_before(35)
    assert (buffer.start, buffer.end) == (30, 100)
    assert buffer.cut(35, 37).tolist() == [35, 36]
