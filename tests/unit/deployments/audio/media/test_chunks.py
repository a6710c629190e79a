import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.audio.decode import Decoder
from deployments.audio.media.parts import parts
from interchange.stages import SAMPLE_RATE
from tests.support.recordings.media import encode, tone, wav
from tests.unit.deployments.audio.media.test_ogg import heard

SECOND = 2 * SAMPLE_RATE  # bytes of 16-bit mono


def announcing(size: int, data: bytes | None = None) -> bytearray:
    """Three seconds of another pitch each, whose header announces `size` bytes of sound."""
    made = bytearray(data or wav(np.concatenate([tone(1, hertz) for hertz in (300, 500, 700)])))
    made[made.index(b"data") + 4 :][:4] = b""
    place = made.index(b"data") + 4
    made[place : place + 4] = struct.pack("<I", size)
    return made


def chunk(name: bytes, body: bytes, order: str = "<") -> bytes:
    return name + struct.pack(order + "I", len(body)) + body + bytes(len(body) % 2)


INFO = chunk(b"LIST", b"INFOISFT" + struct.pack("<I", 14) + b"Lavf60.16.100\0")
BEHIND = [
    INFO,
    chunk(b"bext", bytes(602)),
    chunk(b"iXML", b"<?xml version='1.0'?><BWFXML></BWFXML>" * 50) + INFO,
    chunk(b"id3 ", b"ID3\4\0\0\0\0\0\0" + b"\x55\xaa" * 20_000),
    chunk(b"ownr", b"\x12\x34" * 400),  # of a name nobody knows, up to the end
    chunk(b"ownr", b"\x12\x34" * 401) + INFO,
    b"\0",
]


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("size", [0, 2, 1000, 1001, SECOND, 2 * SECOND + 7, 3 * SECOND])
def test_all_the_sound_behind_a_size_that_is_too_small(size: int, seekable: bool) -> None:
    frequencies, decoder = heard(bytes(announcing(size)), seekable=seekable)
    assert frequencies == [300, 500, 700]
    assert decoder.notes == []


@pytest.mark.parametrize("size", [0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFDB, 0xFFFF_FFFF])
def test_sizes_that_writers_put_before_they_know_are_none(size: int) -> None:
    frequencies, decoder = heard(bytes(announcing(size)))
    assert frequencies == [300, 500, 700]
    assert decoder.notes == []


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("behind", range(len(BEHIND)))
def test_chunks_behind_the_sound_are_no_sound(behind: int, seekable: bool) -> None:
    data = wav(tone(3, 300)) + BEHIND[behind]
    frequencies, decoder = heard(data, seekable=seekable)
    assert frequencies == [300] * 3
    assert decoder.notes == []
    assert sum(map(len, Decoder(io.BytesIO(data), max_duration_s=9))) == 3 * SAMPLE_RATE


def test_sound_that_reads_like_the_beginning_of_a_chunk() -> None:
    data = announcing(SECOND)
    sound = data.index(b"data") + 8
    data[sound + SECOND : sound + SECOND + 8] = b"abcd\x10\0\0\0"
    assert heard(bytes(data))[0] == [300, 500, 700]


@pytest.mark.parametrize("missing", [0.2, 1.0, 2.5])
def test_a_size_that_is_too_large_is_said(missing: float) -> None:
    data = announcing(round((3 + missing) * SECOND))
    frequencies, decoder = heard(bytes(data))
    assert frequencies == [300, 500, 700]
    assert decoder.notes == [
        f"The file ends after 3.0 s although it announces {3 + missing:.1f} s."
    ]


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize(
    "rates", [(16_000, 16_000, 16_000), (16_000, 8_000, 48_000), (44_100, 16_000, 16_000)]
)
@pytest.mark.parametrize("channels", [(1, 1, 1), (1, 2, 1), (2, 6, 1)])
def test_files_that_were_joined(
    rates: tuple[int, ...], channels: tuple[int, ...], seekable: bool
) -> None:
    joined = b""
    for hertz, rate, count in zip((300, 500, 700), rates, channels, strict=True):
        joined += wav(np.stack([tone(1, hertz, rate)] * count), rate=rate) + INFO
    frequencies, decoder = heard(joined, seekable=seekable)
    assert frequencies == [300, 500, 700]
    assert decoder.notes == []


def test_files_that_were_joined_with_headers_too_small() -> None:
    joined = bytes(announcing(500)) + wav(np.stack([tone(1, 900, 8000)] * 2), rate=8000)
    assert heard(joined)[0] == [300, 500, 700, 900]


def test_a_file_of_64_bits_whose_size_was_never_written() -> None:
    sound = wav(tone(3, 300))[44:]
    for size in (0, SECOND, 3 * SECOND, 5 * SECOND):
        data = (
            struct.pack("<4sI4s", b"RF64", 0xFFFF_FFFF, b"WAVE")
            + chunk(b"ds64", struct.pack("<QQQI", 0, size, 0, 0))
            + wav(tone(1))[12:36]
            + struct.pack("<4sI", b"data", 0xFFFF_FFFF)
            + sound
        )
        frequencies, decoder = heard(data)
        assert frequencies == [300] * 3
        assert len(decoder.notes) == (size > 3 * SECOND)


@pytest.mark.parametrize("size", [8, 1000, SECOND, 3 * SECOND])
def test_aiff_too(size: int) -> None:
    sound = np.concatenate([tone(1, hertz) for hertz in (300, 500, 700)])
    data = bytearray(encode(sound, "aiff", "pcm_s16be"))
    place = data.index(b"SSND") + 4
    data[place : place + 4] = struct.pack(">I", size)
    frequencies, decoder = heard(bytes(data) + chunk(b"ANNO", b"made by hand", ">"))
    assert frequencies == [300, 500, 700]
    assert decoder.notes == []


@pytest.mark.parametrize("codec", ["pcm_mulaw", "pcm_f64le", "adpcm_ima_wav", "adpcm_ms"])
def test_other_codecs_in_the_container(codec: str) -> None:
    sound = np.concatenate([tone(1, hertz) for hertz in (300, 500, 700)])
    data = announcing(2000, encode(sound, "wav", codec))
    assert heard(bytes(data))[0][:3] == [300, 500, 700]


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1), st.booleans())
def test_nothing_is_lost_and_nothing_hangs(tail: bytes, size: int, joined: bool) -> None:
    """Whatever lies behind the header comes out, in order, but for whole chunks."""
    data = bytes(announcing(size, wav(tone(0.01)) + tail))
    data += wav(tone(0.01)) if joined else b""
    made = b""
    for part in parts(io.BytesIO(data)):
        while piece := part.read(4096):
            made += piece
    assert len(made) <= len(data)
    assert made[44 : 44 + min(size, 320)] == data[44 : 44 + min(size, 320)]
