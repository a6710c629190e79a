"""The recordings that a file holds one after another.

FFmpeg takes a file for one recording. Where it was joined from several, or its header was
written before its end, it reads the first part only and takes that for a regular end.
"""

from collections.abc import Iterator

from deployments.audio.media import chunks, ogg
from deployments.audio.media.part import Lookahead, Part, Readable, Whole

__all__ = ["Part", "Readable", "parts"]

_HEAD = 12


def parts(file: Readable) -> Iterator[Part]:
    """What to decode, one after another: each one is to be read before the next is asked for."""
    source = Lookahead(file)
    head = source.peek(_HEAD)
    if head.startswith(ogg.CAPTURE):
        yield from ogg.links(source)
    elif chunks.begins(head):
        yield from chunks.recordings(source)
    elif file.seekable():
        file.seek(0)
        yield Whole(file)
    else:
        yield Part(lambda _: chunks.rest(source))
