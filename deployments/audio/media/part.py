"""Files within a file, read from front to back."""

import io
from collections.abc import Callable, Generator
from typing import Protocol

PIECE = 1 << 15
"""Bytes that FFmpeg asks for at a time."""


class Readable(Protocol):
    """What a decoder needs of a file; of one that is not seekable it reads on only."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def seekable(self) -> bool: ...


class Lookahead:
    """A file's bytes in order, some of which may be looked at before they are taken."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._held = b""

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end of the file only."""
        while len(self._held) < size:
            more = self._file.read(max(size - len(self._held), PIECE))
            if not more:
                break
            self._held += more
        return self._held[:size]

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end of the file only."""
        taken = self.peek(size)
        self._held = self._held[len(taken) :]
        return taken

    def skip(self, size: int) -> None:
        while size > 0 and (passed := self.take(min(size, PIECE))):
            size -= len(passed)


class Part:
    """What FFmpeg is to take for a file by itself.

    When it was read to its end, `missing_s` says how many seconds of it the file lacks as far as
    a header tells, and `cut_off` whether it lacks an unknown number.
    """

    rereadable = False
    """Whether it can be read again, after `seek(0)`."""

    def __init__(self, pieces: Callable[["Part"], Generator[bytes]]) -> None:
        self.missing_s = 0.0
        self.cut_off = False
        self._pieces = pieces(self)
        self._held = b""
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        while not self._held and (piece := next(self._pieces, None)) is not None:
            self._held = piece
        read = self._held if size < 0 else self._held[:size]
        self._held = self._held[len(read) :]
        self._position += len(read)
        return read

    def drain(self) -> None:
        """Read on to where the next part begins."""
        while self.read():
            pass

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("a part is read from front to back")

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return False


class Whole(Part):
    """A file of one part, with all that it can do."""

    def __init__(self, file: Readable) -> None:
        super().__init__(_nothing)
        self._file = file
        self.rereadable = file.seekable()

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def drain(self) -> None:
        """Nothing comes behind it."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return self._file.seekable()


def _nothing(_: Part) -> Generator[bytes]:
    yield from ()
