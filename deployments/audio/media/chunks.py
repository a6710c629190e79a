"""WAV and AIFF whose headers say too little.

A recorder writes the header before the sound and corrects it at the end, if it comes to that.
Beyond 4 GB the number does not fit. And joining two files leaves the first one's number in
front of both. FFmpeg believes it; here what lies behind the announced end is looked at: more
chunks, another recording, or the rest of this one.

FFmpeg is told no size then, and reads to the end that it is given.
"""

import re
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from deployments.audio.media.part import PIECE, Lookahead, Part

_BEGINNING = re.compile(rb"(?:RIFF|RIFX|RF64|BW64)....WAVE|FORM....AIF[FC]", re.DOTALL)
_BEGINNING_BYTES = 12
_BIG_ENDIAN = (b"RIFX", b"FORM")
_64_BIT = (b"RF64", b"BW64")
_SOUND = (b"data", b"SSND")

# Chunks that stand behind sound. Another one is believed if more chunks or the end follow it.
_KNOWN = frozenset(
    b"LIST|id3 |ID3 |bext|iXML|axml|aXML|chna|_PMX|cue |smpl|inst|fact|PEAK|JUNK|junk|PAD |FLLR|"
    b"levl|plst|adtl|note|DISP|cart|umid|regn|elm1|afsp|acid|strc|LGWV|MARK|INST|COMT|NAME|AUTH|"
    b"ANNO|(c) |APPL|MIDI|AESD|CHAN".split(b"|")
)
_NAME = re.compile(rb"[ -~]{4}")
_LONGEST_GUESS = 1 << 20  # bytes of a chunk of another name

_NO_SIZE = 0xFFFF_FFFF
_PLACEHOLDERS = 0x7FFF_F000
"""From here on sizes are what writers put that will not come back."""

_LONGEST_HEADER = 1 << 24


def begins(head: bytes) -> bool:
    """Whether a file that begins with these bytes, twelve at least, is of this kind."""
    return _BEGINNING.match(head) is not None


def recordings(source: Lookahead) -> Iterator[Part]:
    while begins(source.peek(_BEGINNING_BYTES)):
        part = Part(lambda part: _recording(source, part))
        yield part
        part.drain()


@dataclass
class _Header:
    """All up to the first byte of sound, how many bytes that has, and how many a second takes.

    `size` is None where the header does not say, `second` 0 where that is not known.
    """

    order: str
    taken: bytearray = field(default_factory=bytearray)
    size: int | None = None
    second: float = 0.0
    whole: bool = False

    def number(self, kind: str, data: bytes, offset: int) -> int:
        end = offset + struct.calcsize(kind)
        return int(struct.unpack(self.order + kind, data[offset:end])[0]) if end <= len(data) else 0


def _recording(source: Lookahead, part: Part) -> Generator[bytes]:
    header = _header(source)
    yield bytes(header.taken)
    if not header.whole:
        yield from rest(source)  # FFmpeg may make something of it
        return
    left = header.size
    while left is None or left > 0:
        piece = source.take(PIECE if left is None else min(left, PIECE))
        if not piece:
            break
        left = None if left is None else left - len(piece)
        yield piece
    if left and header.second:
        part.missing_s = left / header.second
    elif left:
        part.cut_off = True
    elif _goes_on(source, header):
        yield from _up_to_beginning(source)


def _header(source: Lookahead) -> _Header:
    """What is read of it is taken; not `whole` where no sound was found."""
    start = source.take(_BEGINNING_BYTES)
    header = _Header(">" if start[:4] in _BIG_ENDIAN else "<")
    header.taken += start
    size_64 = None
    if start[:4] in _64_BIT:
        header.taken[:4] = b"RIFF"
    while len(header.taken) < _LONGEST_HEADER:
        head = source.take(8)
        name, size = head[:4], header.number("I", head, 4)
        if name in _SOUND and len(head) == 8:
            header.size = _announced(size, size_64)
            header.taken += name + struct.pack(header.order + "I", _NO_SIZE)
            header.whole = True
            return header
        if len(head) < 8 or size > _LONGEST_HEADER:
            header.taken += head
            return header
        body = source.take(size + size % 2)
        if name == b"ds64":
            size_64 = header.number("Q", body, 8)
            head = b"JUNK" + head[4:]
        elif name == b"fmt ":
            header.second = _bytes_a_second(header, body)
        elif name == b"COMM":
            bits = header.number("H", body, 6) * header.number("H", body, 0)
            header.second = bits / 8 * _extended(body[8:18]) if start[8:12] == b"AIFF" else 0.0
        header.taken += head + body
    return header


def _announced(size: int, size_64: int | None) -> int | None:
    if size_64:
        return size_64
    return None if size >= _PLACEHOLDERS else size


def _bytes_a_second(header: _Header, body: bytes) -> float:
    if header.number("H", body, 0) in (1, 3, 0xFFFE):  # PCM: the frame's size is never wrong
        return header.number("I", body, 4) * header.number("H", body, 12)
    return header.number("I", body, 8)


def _extended(number: bytes) -> float:
    """A positive number of 80 bits (IEEE 754 extended precision)."""
    if len(number) < 10:
        return 0.0
    exponent, mantissa = struct.unpack(">HQ", number)
    return float(mantissa * 2.0 ** max(min(exponent - 16383 - 63, 900), -900))


def _goes_on(source: Lookahead, header: _Header) -> bool:
    """Whether what lies behind the announced end is sound; chunks there are passed over."""
    while ahead := source.peek(2 + _BEGINNING_BYTES):
        for padding in (0, 1):
            if begins(ahead[padding:]):
                source.skip(padding)
                return False
        for padding in (0, 1):
            name, size = ahead[padding : padding + 4], header.number("I", ahead, padding + 4)
            if _is_chunk(source, header, padding, name, size):
                source.skip(padding + 8 + size)
                break
        else:
            return ahead != b"\0"
    return False


def _is_chunk(source: Lookahead, header: _Header, padding: int, name: bytes, size: int) -> bool:
    if name in _KNOWN:
        return True
    if not _NAME.fullmatch(name) or size > _LONGEST_GUESS:
        return False
    end = padding + 8 + size
    ahead = source.peek(end + 1 + _BEGINNING_BYTES)
    behind = ahead[end + size % 2 :]
    if len(ahead) < end:
        return False
    return len(behind) == 0 or begins(behind) or behind[:4] in _KNOWN


def rest(source: Lookahead) -> Generator[bytes]:
    while piece := source.take(PIECE):
        yield piece


def _up_to_beginning(source: Lookahead) -> Generator[bytes]:
    while ahead := source.peek(PIECE):
        found = _BEGINNING.search(ahead)
        if found is not None:
            yield source.take(found.start())
            return
        ended = len(ahead) < PIECE
        yield source.take(len(ahead) if ended else PIECE - _BEGINNING_BYTES + 1)
