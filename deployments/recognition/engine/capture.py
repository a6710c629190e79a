"""The decoding step as one recorded piece of work, instead of hundreds of launches.

On a GPU a step of a few rows takes less time than Python needs to launch its kernels. Recorded
once as a CUDA graph, it is launched at once. A recording has fixed shapes: rows, positions and
encoder positions are rounded up to few sizes, and each size is recorded when it first occurs.
Rows beyond those in use compute something that nobody reads.
"""

import logging
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from deployments.recognition.device import out_of_memory

log = logging.getLogger(__name__)

Capture = Literal["auto", "off", "cuda_graph", "compile"]
Step = Callable[[int, int, int], Tensor]
"""(rows, length, span) -> (rows, vocabulary). It may be repeated: it changes nothing twice."""
Replay = Callable[[], Tensor]
"""The same shapes again, on what the slots hold now. The result is valid until the next one."""
Record = Callable[[Step, int, int, int], Replay]

_LENGTHS = 64
_SPANS = 250


class CapturedStep:
    """A step that is recorded by `record` for each size that occurs.

    `capacity`, `target` and `source` bound rows, positions and encoder positions. What cannot be
    recorded is run as it is, then and ever after, with one warning.
    """

    def __init__(
        self, step: Step, record: Record, *, capacity: int, target: int, source: int
    ) -> None:
        self._step = step
        self._record = record
        self._most = (capacity, target, source)
        self._replays: dict[tuple[int, int, int], Replay] = {}
        self._failed = False

    def __call__(self, rows: int, length: int, span: int) -> Tensor:
        if self._failed:
            return self._step(rows, length, span)
        size = self._size(rows, length, span)
        replay = self._replays.get(size)
        if replay is None:
            try:
                replay = self._replays[size] = self._record(self._step, *size)
            except Exception as error:
                if out_of_memory(error):
                    raise
                log.warning("The decoding step cannot be captured, and runs without: %s", error)
                self._failed = True
                self._replays.clear()
                return self._step(rows, length, span)
        return replay()[:rows]

    def _size(self, rows: int, length: int, span: int) -> tuple[int, int, int]:
        """Powers of two in rows, since few rows are common; even steps in the others."""
        wanted = (1 << (rows - 1).bit_length(), _up(length, _LENGTHS), _up(span, _SPANS))
        most_rows, target, source = self._most
        return min(wanted[0], most_rows), min(wanted[1], target), min(wanted[2], source)


def captured(
    step: Step,
    capture: Capture,
    device: torch.device,
    *,
    capacity: int,
    target: int,
    source: int,
) -> Step:
    """`step` in the way that the setting says; `auto` records CUDA graphs on a GPU.

    Raises ValueError for CUDA graphs without one.
    """
    if capture == "auto":
        capture = "cuda_graph" if device.type == "cuda" else "off"
    if capture == "off":
        return step
    if capture == "cuda_graph" and device.type != "cuda":
        raise ValueError(
            "`recognition.capture` is cuda_graph, but the model runs on a CPU; use auto."
        )
    record = CudaGraphs() if capture == "cuda_graph" else Compiled()
    return CapturedStep(step, record, capacity=capacity, target=target, source=source)


class CudaGraphs:
    """Records CUDA graphs, all of which share their memory: only one runs at a time."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, step: Step, rows: int, length: int, span: int) -> Replay:
        # Libraries allocate their workspaces at a first call, which must not be recorded.
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step(rows, length, span)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            output = step(rows, length, span)
        self._pool = graph.pool()

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay


class Compiled:
    """Compiles the step for each size by torch.compile."""

    def __init__(self, backend: str = "inductor") -> None:
        self._backend = backend

    def __call__(self, step: Step, rows: int, length: int, span: int) -> Replay:
        def sized() -> Tensor:
            return step(rows, length, span)

        compiled: Replay = torch.compile(sized, dynamic=False, backend=self._backend)
        compiled()  # here, so that a failure is found where it can be handled
        return compiled


def _up(number: int, step: int) -> int:
    return -(-number // step) * step
