"""How long is a recording of which only the beginning is here?"""

_BYTES_A_SECOND = 8_000.0
"""Speech as it is mostly sent; 64 kbit/s."""

_FILM = 60_000.0
_MP3_KBIT = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBIT_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def estimated_seconds(beginning: bytes, length: int) -> float:
    """Seconds of a recording of `length` bytes that begins so; 0 for an empty one.

    Exact for WAV and for what FLAC says of itself, close for MP3, a guess otherwise: decoding
    tells.
    """
    if (flac := _flac(beginning)) is not None:
        return flac
    rate = _wav(beginning) or _mp3(beginning) or _of_container(beginning)
    return length / rate


def _wav(data: bytes) -> float | None:
    """Bytes a second, from the chunk that says so."""
    at = data.find(b"fmt ", 12)
    if data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE" or at < 0:
        return None
    rate = int.from_bytes(data[at + 16 : at + 20], "little")
    return float(rate) if rate else None


def _flac(data: bytes) -> float | None:
    """Seconds, from the header's rate in Hz and its number of samples."""
    if data[:4] != b"fLaC" or len(data) < 26:
        return None
    rate = int.from_bytes(data[18:21], "big") >> 4
    samples = int.from_bytes(data[21:26], "big") & 0xF_FFFF_FFFF
    return samples / rate if rate and samples else None


def _mp3(data: bytes) -> float | None:
    """Bytes a second, from the first frame behind a tag if there is one."""
    at = 0
    if data[:3] == b"ID3" and len(data) >= 10:
        at = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True)
        )
    frame = data[at : at + 3]
    if len(frame) < 3 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:
        return None
    index = frame[2] >> 4
    if not 0 < index < 15:
        return None
    table = _MP3_KBIT if frame[1] & 0x08 else _MP3_KBIT_LOW
    return table[index - 1] * 125.0


def _of_container(data: bytes) -> float:
    film = data[4:8] == b"ftyp" and data[8:11] != b"M4A"
    return _FILM if film else _BYTES_A_SECOND
