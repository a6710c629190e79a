"""What was cut of a recording before a stage has room for it."""

import tempfile
from collections import deque
from dataclasses import replace
from types import TracebackType
from typing import IO, Generic, Self, TypeVar

import numpy as np

from interchange.files.room import writing
from interchange.stages import Stretch, Window

Piece = TypeVar("Piece", Window, Stretch)


class Backlog(Generic[Piece]):
    """A first-in, first-out store of windows or stretches whose samples lie in a file, not in
    memory.

    Recognition and diarization each take a recording at their own pace, so loading must not stop
    for one of them: 10 h of samples are 1.2 GB, which belong on a disk. What is put goes to an
    unnamed temporary file, which the system removes with the process.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._parked: deque[tuple[Piece, int, int]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, piece: Piece) -> None:
        """Raises Unavailable where the disk is full."""
        view = memoryview(piece.samples.tobytes())
        with writing("A recording"):
            if self._file is None:
                # Unbuffered, so that a full disk says so here; closed by __exit__.
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            position = self._file.seek(0, 2)
            while view:
                view = view[self._file.write(view) :]
        # Not a part of the samples, however small: it would hold all of them.
        hollow = replace(piece, samples=np.empty(0, np.int16))
        self._parked.append((hollow, position, len(piece.samples)))

    def get(self) -> Piece:
        """The oldest piece. Raises IndexError where there is none."""
        hollow, position, length = self._parked.popleft()
        assert self._file is not None
        self._file.seek(position)
        samples = np.frombuffer(self._file.read(length * 2), dtype=np.int16)
        if not self._parked:
            self._file.truncate(0)
        return replace(hollow, samples=samples)
