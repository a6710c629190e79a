"""Recordings of this machine on their way up: files, and what comes through a pipe."""

import io
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Self

STDIN = Path("-")
"""What this program reads from its standard input. Compared by identity."""

Source = Path | str
"""A file or pipe of this machine, STDIN, or a URL that the service fetches."""

OnUpload = Callable[[int], object]
"""Called with the bytes of the recording that were read so far."""


def file_name(source: Path) -> str:
    return "stdin" if source is STDIN else source.name


def size(source: Source) -> int | None:
    """Bytes that will be read from a source, where that is known."""
    if isinstance(source, str) or source is STDIN or not source.is_file():
        return None
    return source.stat().st_size


def opened(source: Path, on_read: OnUpload) -> AbstractContextManager[Any]:
    """What httpx can send, read as it is sent. Raises OSError."""
    if source is STDIN:
        return nullcontext(_Pipe(sys.stdin.buffer, on_read))
    if source.is_file():
        return _WatchedFile(source, on_read)
    return _Pipe(source.open("rb"), on_read)


class _WatchedFile(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, on_read: OnUpload) -> None:
        super().__init__(path)
        self._on_read = on_read

    def read(self, size: int | None = -1, /) -> Any:
        data = super().read(size)
        self._on_read(self.tell())
        return data


class _Pipe:
    """A stream of unknown length. It has no `fileno`, by which httpx would take it for an empty
    file."""

    def __init__(self, stream: BinaryIO, on_read: OnUpload) -> None:
        self._stream = stream
        self._on_read = on_read
        self._read = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._read += len(data)
        self._on_read(self._read)
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
