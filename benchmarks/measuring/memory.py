"""Memory of a program with all the processes it started."""

import threading
from types import TracebackType
from typing import Self

import psutil

_EVERY_S = 1.0


def of_tree(process: int) -> int:
    """Bytes that a process and all its descendants hold, pages that several share counted once.

    That is the sum of their proportional set sizes; Ray's object store is in it as far as it
    was written to. Where the system does not tell those, resident sizes are summed instead.
    """
    try:
        root = psutil.Process(process)
        members = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_of_one(member) for member in members)


def _of_one(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0  # it ended meanwhile


class PeakMemory:
    """Watches a tree of processes inside a `with`; afterwards `bytes` is the most it held."""

    def __init__(self, process: int) -> None:
        self.bytes = 0
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        self.bytes = max(self.bytes, of_tree(self._process))
