"""Work of fixed shapes, recorded once as a CUDA graph and from then on launched at once."""

import logging
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch

from deployments.memory import out_of_memory

log = logging.getLogger("ray.serve")

T = TypeVar("T")


class Graphs:
    """Records work for each size that occurs, on one stream and in one pool of memory, since only
    one runs at a time. What cannot be recorded runs as it is, with a warning."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._made: dict[Hashable, Callable[[], Any]] = {}
        self._pool: Any = None

    def run(self, size: Hashable, work: Callable[[], T]) -> T:
        """Do `work`, which always does the same for one `size`.

        The first time it runs as it is, and is recorded for the next. Raises what the work raises;
        memory that runs out while it is recorded is the caller's to handle, and a later call
        records it again.
        """
        again = self._made.get(size)
        if again is not None:
            result: T = again()
            return result
        result = work()
        if self._enabled:
            self._made[size] = self._record(size, work)
        return result

    def forget(self) -> None:
        """Let go of the memory that recordings hold."""
        self._made.clear()
        self._pool = None

    def __len__(self) -> int:
        return len(self._made)

    def _record(self, size: Hashable, work: Callable[[], T]) -> Callable[[], T]:
        try:
            return self._capture(work)
        except Exception as error:
            if out_of_memory(error):
                raise
            log.warning("%s cannot be captured, and runs without: %s", size, error)
            return work

    def _capture(self, work: Callable[[], T]) -> Callable[[], T]:
        graph = torch.cuda.CUDAGraph()
        stream: torch.cuda.Stream | None = torch.cuda.current_stream()
        if stream == torch.cuda.default_stream():
            stream = None  # nothing can be recorded on it: torch takes one of its own
        with torch.cuda.graph(
            graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"
        ):
            output = work()
        self._pool = graph.pool()

        def replay() -> T:
            graph.replay()
            return output

        return replay
