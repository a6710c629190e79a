"""Work of compiled loops, shared by as many threads as the caller may use.

torch's own threads cannot run what torch does not know. These sleep where they have nothing to do:
threads of torch, which wait in a loop, must not be told to work beside them.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

_own = threading.local()


def allow(threads: int) -> None:
    """Let the calling thread use so many, itself one of them. Until then it is by itself."""
    _own.threads = threads


def allowed() -> int:
    threads: int = getattr(_own, "threads", 1)
    return threads


def share(count: int, threads: int, work: Callable[[int, int], None]) -> None:
    """Have `work` done from a first to a last of `count` things, by at most `threads`: each takes
    some that lie beside each other. Raises what the work raises."""
    threads = max(1, min(threads, count))
    bounds = [count * i // threads for i in range(threads + 1)]
    others = [_pool().submit(work, *bounds[i : i + 2]) for i in range(1, threads)]
    work(*bounds[:2])
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "loops")
