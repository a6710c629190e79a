"""Headerless PCM becomes a file that the loader decodes."""

import io
import wave
from collections.abc import AsyncIterator

import numpy as np
import pytest

from deployments.audio.decode import Decoder
from interchange.samples import as_float32
from serve_app.http.asr.pcm import HEADER, as_wav

SAMPLES = (np.sin(np.arange(20_000) / 10) * 8000).astype("<i2")


async def wrapped(data: bytes, size: int) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return b"".join([chunk async for chunk in as_wav(chunks())])


@pytest.mark.parametrize("size", [1, 3, 4096, 10**6])
async def test_samples_come_out_of_the_decoder_as_they_went_in(size: int) -> None:
    file = await wrapped(SAMPLES.tobytes(), size)
    decoder = Decoder(io.BytesIO(file), max_duration_s=10)
    assert np.array_equal(np.concatenate(list(decoder)), as_float32(SAMPLES.astype(np.int16)))
    assert decoder.notes == []


@pytest.mark.parametrize("size", [1, 4096])
async def test_a_file_that_has_a_header_keeps_it(size: int) -> None:
    written = io.BytesIO()
    with wave.open(written, "wb") as wav:
        wav.setparams((1, 2, 16_000, 0, "NONE", "NONE"))
        wav.writeframes(SAMPLES.tobytes())
    assert await wrapped(written.getvalue(), size) == written.getvalue()


async def test_a_file_of_hardly_anything() -> None:
    assert await wrapped(b"\x01\x00", 1) == HEADER + b"\x01\x00"
    assert await wrapped(b"", 1) == b""
