"""A temporary file that one thread reads while it is still being written."""

import asyncio
import errno
import io
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from interchange.errors import RayscribeError
from interchange.files.room import Room, check_reserve, writing


class LoadCancelled(Exception):
    """Nobody wants the recording any more."""


class Spool:
    """Bytes on disk with a writer and any number of readers.

    The file has no name, so nothing is left of it when the process is gone, however it ends.
    The writer sets `expected`, the size in bytes where it is announced, and `media_type`, what
    the remote server calls the content, before it writes. What lies here takes of `room`.
    """

    def __init__(self, room: Room | None = None, directory: Path | None = None) -> None:
        with writing("The recording"):
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        self._room = room
        self._grown = threading.Condition()
        self._changed = asyncio.Event()
        self._written = 0
        self._taken = 0
        self._complete = False
        self._error: Exception | None = None
        self.expected: int | None = None
        self.media_type = ""

    @property
    def written(self) -> int:
        return self._written

    @property
    def complete(self) -> bool:
        return self._complete

    def write(self, data: bytes) -> None:
        """Append `data`. Raises Unavailable when the disk or the room is full."""
        check_reserve(self._file.fileno())
        if self._room is not None:
            self._room.take(len(data))
        self._taken += len(data)
        view = memoryview(data)
        with writing("The recording"):
            while view:
                view = view[os.write(self._file.fileno(), view) :]
        with self._grown:
            self._written += len(data)
            self._grown.notify_all()
        self._changed.set()

    def finish(self) -> None:
        """Say that all is written."""
        with self._grown:
            self._complete = True
            self._grown.notify_all()
        self._changed.set()

    def fail(self, error: RayscribeError | LoadCancelled) -> None:
        """Raise `error` in every reader, now and later."""
        with self._grown:
            self._error = self._error or error
            self._grown.notify_all()
        self._changed.set()

    def close(self) -> None:
        """Give the disk space back. No reader may be at work any more."""
        self._file.close()
        if self._room is not None:
            self._room.give_back(self._taken)
            self._room = None

    def check(self) -> None:
        """Raise the error that ended the writing, if one did."""
        if self._error is not None:
            raise self._error

    @property
    def ended(self) -> bool:
        """Whether nothing more will be written."""
        return self._complete or self._error is not None

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until it is so; in the writer's event loop, and one task at a time."""
        while not ready():
            self._changed.clear()
            await self._changed.wait()

    def wait(self) -> None:
        """Block until all is written. Raises what `fail` was given."""
        with self._grown:
            self._grown.wait_for(lambda: self._complete or self._error is not None)
        self.check()

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`, empty at the end; blocks while none are there yet."""
        with self._grown:
            self._grown.wait_for(
                lambda: self._written > offset or self._complete or self._error is not None
            )
        self.check()
        return os.pread(self._file.fileno(), size, offset)

    def size(self) -> int:
        """Bytes in all: as announced, or else counted once all are there."""
        if self.expected is None or self._complete:
            self.wait()
            return self._written
        return self.expected

    def reader(self, *, seekable: bool) -> "SpoolReader":
        return SpoolReader(self, seekable=seekable)


class SpoolReader(io.RawIOBase):
    """A file object over a spool, at a position of its own."""

    def __init__(self, spool: Spool, *, seekable: bool) -> None:
        super().__init__()
        self._spool = spool
        self._seekable = seekable
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._spool.size()
        if offset < 0:
            raise OSError(errno.EINVAL, "negative position")
        self._position = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise io.UnsupportedOperation("a reader needs to say how much")
        data = self._spool.read_at(self._position, size)
        self._position += len(data)
        return data
