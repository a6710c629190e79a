"""A network of many small kernels, which take a host longer to launch than a GPU to do."""

import threading
from collections.abc import Callable
from functools import partial

from torch import Tensor

from deployments.graphs import Graphs

STEP = 8
"""To a multiple of how many a batch is filled up, so that few sizes occur."""


class Recorded:
    """`work` over batches, each item by itself: recorded on a GPU once for each size, and from then
    on launched at once. Batches may come from several threads, on one stream."""

    def __init__(self, work: Callable[[Tensor], Tensor], *, enabled: bool) -> None:
        self._work = work
        self._enabled = enabled
        self._graphs = Graphs(enabled=enabled)
        self._inputs: dict[int, Tensor] = {}
        self._lock = threading.Lock()

    def __call__(self, batch: Tensor) -> Tensor:
        """(items, …), all of them of one shape in all calls."""
        if not self._enabled:
            return self._work(batch)
        size = -(-len(batch) // STEP) * STEP
        with self._lock:
            held = self._inputs.get(size)
            if held is None:
                held = self._inputs[size] = batch.new_zeros(size, *batch.shape[1:])
            held[: len(batch)] = batch
            found = self._graphs.run(size, partial(self._work, held))
            return found[: len(batch)].clone()
