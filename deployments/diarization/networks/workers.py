"""The threads that run networks over pieces of a recording."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Workers:
    """Do a piece of work each, by themselves: threads that share the small products of a network
    wait for each other for a third of the time.

    With one thread, and for a GPU, the caller does all pieces.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        if threads > 1:
            self._pool = ThreadPoolExecutor(threads, "diarizer", torch.set_num_threads, (1,))

    def map(self, work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Generator[Result]:
        """What becomes of the pieces, in their order; for each thread one more is taken ahead.

        Raises what a piece raises. Closing it waits for the pieces that are under way.
        """
        if self._pool is None:
            yield from map(work, pieces)
            return
        under_way = deque[Future[Result]]()
        try:
            for piece in pieces:
                under_way.append(self._pool.submit(_inferred, work, piece))
                if len(under_way) > 2 * self.threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for each in under_way:
                if not each.cancel():
                    each.exception()

    def split(self, count: int, most: int) -> int:
        """Into how many pieces of at most `most` to cut `count`, for all threads to have some."""
        return min(count, -(-count // (most * self.threads)) * self.threads)


def _inferred(work: Callable[[Piece], Result], piece: Piece) -> Result:
    with torch.inference_mode():
        return work(piece)
