"""Chains of Ogg streams: radio recorded over a change of programme, recordings joined.

A physical stream is made of pages, each with a flag on the first one of a logical stream. Such
a page behind pages without the flag begins the next link of a chain (RFC 3533, section 4),
which may have another codec, another rate, other channels: a recording by itself.
"""

from collections.abc import Generator, Iterator

from deployments.audio.media.part import PIECE, Lookahead, Part

CAPTURE = b"OggS"

_HEADER = 27
_FIRST_PAGE = 0x02

# What the first packet of a stream begins with. The flag alone is not believed.
_CODECS = (
    b"OpusHead",
    b"\x01vorbis",
    b"\x7fFLAC",
    b"fLaC",
    b"Speex   ",
    b"CELT    ",
    b"PCM     ",
    b"fishead\0",
    b"\x80theora",
    b"\x80kate\0",
    b"OVP80",
    b"BBCD",
)


def links(source: Lookahead) -> Iterator[Part]:
    while source.peek(1):
        part = Part(lambda part: _link(source, part))
        yield part
        part.drain()


def _link(source: Lookahead, part: Part) -> Generator[bytes]:
    begun = False
    while header := source.peek(_HEADER + 255):
        size = _page_size(header)
        if size is None:
            yield _up_to_capture(source)
            continue
        first = _is_first(header)
        if first and begun:
            return
        begun = begun or not first
        page = source.take(size)
        part.cut_off = len(page) < size
        yield page


def _page_size(header: bytes) -> int | None:
    """Bytes of the page that begins here; None where none does."""
    if len(header) < _HEADER or not header.startswith(CAPTURE) or header[4]:
        return None
    lengths = header[_HEADER : _HEADER + header[26]]
    return _HEADER + header[26] + sum(lengths)


def _is_first(page: bytes) -> bool:
    body = page[_HEADER + page[26] :]
    return bool(page[5] & _FIRST_PAGE) and body.startswith(_CODECS)


def _up_to_capture(source: Lookahead) -> bytes:
    """What lies before the next page: FFmpeg finds its own way through it."""
    damaged = source.peek(PIECE)
    found = damaged.find(CAPTURE, 1)
    if found < 0:  # its beginning may be the end of what was looked at
        found = max(len(damaged) - len(CAPTURE) + 1, 1) if len(damaged) == PIECE else len(damaged)
    return source.take(found)
