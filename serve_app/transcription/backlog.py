"""Windows that were cut before recognition has room for them."""

import tempfile
from collections import deque
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np

from interchange.room import writing
from interchange.stages import Window


class Backlog:
    """A first-in, first-out store of windows whose samples lie in a file, not in memory.

    Diarization needs the whole recording before it can begin, so loading must not stop while
    recognition is busy: 10 h of windows are 1.2 GB, which belong on a disk. What is put goes
    to an unnamed temporary file, which the system removes with the process.
    """

    def __init__(self) -> None:
        with writing("A recording"):
            # Unbuffered, so that a full disk says so here; closed by __exit__.
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._parked: deque[tuple[Window, int, int]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, window: Window) -> None:
        """Raises Unavailable where the disk is full."""
        position = self._file.seek(0, 2)
        view = memoryview(window.samples.tobytes())
        with writing("A recording"):
            while view:
                view = view[self._file.write(view) :]
        hollow = replace(window, samples=window.samples[:0])
        self._parked.append((hollow, position, len(window.samples)))

    def get(self) -> Window:
        """The oldest window. Raises IndexError where there is none."""
        hollow, position, length = self._parked.popleft()
        self._file.seek(position)
        samples = np.frombuffer(self._file.read(length * 2), dtype=np.int16)
        if not self._parked:
            self._file.truncate(0)
        return replace(hollow, samples=samples)
