"""Ten times as many clients as the machine carries."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from benchmarks.attack.target import Line, Probes, Target, sample, timed

_LIMIT_S = 30.0
_REFUSED_S = 0.05


def crowd(target: Target, clients: int, seconds: float) -> Iterator[Line]:
    """Clients that send one recording after the other, and come again as soon as they may."""
    recording = sample()
    with target.client() as client:
        _, alone = timed(lambda: target.transcribe(client, recording))
    until = time.monotonic() + seconds

    def one() -> list[tuple[int, float, int]]:
        found: list[tuple[int, float, int]] = []
        with target.client(timeout=300) as client:
            while time.monotonic() < until:
                answer, took = timed(lambda: target.transcribe(client, recording))
                later = int(answer.headers.get("retry-after", "0"))
                found.append((answer.status_code, took, later))
                if later:
                    time.sleep(min(later, max(until - time.monotonic(), 0)))
        return found

    with Probes(target, "/health") as probes, ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(one) for _ in range(clients)]
        found: list[Any] = [each for future in running for each in future.result()]
    yield from _lines(found, clients, alone)
    yield Line("… others meanwhile", probes.summary, probes.held)


def _lines(found: list[tuple[int, float, int]], clients: int, alone: float) -> Iterator[Line]:
    served = sorted(took for status, took, _ in found if status == 200)
    refused = [(took, later) for status, took, later in found if status == 429]
    p95 = served[int(len(served) * 0.95)] - alone if served else float("inf")
    odd = sorted({status for status, _, _ in found} - {200, 429})
    answer = f"{len(served)} served, p95 wait {p95:.1f} s; others: {odd or 'none'}"
    yield Line(f"{clients} clients at once", answer, p95 < _LIMIT_S and not odd)
    if refused:
        quick = median(took for took, _ in refused)
        says = f"Retry-After {min(s for _, s in refused)} to {max(s for _, s in refused)} s"
        answer = f"{len(refused)} in {1000 * quick:.0f} ms at the median; {says}"
        yield Line("… refused", answer, quick < _REFUSED_S)
