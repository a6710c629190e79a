"""More clients than the machine carries: all in one moment, and for as long as one likes."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from benchmarks.attack.raw import Answer, drip, form, head, upload
from benchmarks.attack.target import Line, Probes, Target, sample
from benchmarks.measuring.memory import of_tree

_LIMIT_S = 30.0
_REFUSED_S = 0.05
_TIMES = 10
_AT_ONCE = 12

_SLOW_UPLOADS = 130
_SLOW_LINKS = 8
_LOOK_EVERY_S = 5.0
_MAY_GROW = 1.1
_MAY_GROW_BYTES = 100 * 2**20


def burst(target: Target, clients: int) -> Iterator[Line]:
    """Clients whose requests come in one moment."""
    found = asyncio.run(_burst(target, clients))
    served, refused, odd = _sorted(found)
    first = sorted(each.first_s for each in refused)
    yield Line(
        f"{clients} clients in one moment",
        f"{len(served)} served; others: {odd or 'none'}",
        bool(served) and not odd,
    )
    if first:
        # They come faster than one process can read their headers: nothing else is promised.
        spread = " ".join(f"{name} {1000 * at(first, q):.0f}" for name, q in _QUANTILES)
        yield Line("… refused", f"{len(first)}, first byte after {spread} ms", True)


def crowd(target: Target, seconds: float) -> Iterator[Line]:
    """Ten times what the machine can do, one after the other, for so long."""
    with Probes(target, "/health", "/ready") as probes:
        found, alone, rate = asyncio.run(_crowd(target, seconds))
    yield from _lines(found, alone, f"{rate:.1f} requests a second for {seconds:.0f} s")
    yield Line("… others meanwhile", probes.summary, probes.held)


def siege(target: Target, seconds: float) -> Iterator[Line]:
    """The same, with uploads and links that trickle all the while; does memory stay as it is?"""

    async def under() -> tuple[list[Answer], float, float]:
        async with _trickling(target), _watched(target, held):
            return await _crowd(target, seconds)

    held: list[tuple[float, int]] = []
    with Probes(target, "/health", "/ready") as probes:
        found, alone, rate = asyncio.run(under())
    name = f"{rate:.1f} requests a second for {seconds:.0f} s, and what trickles"
    yield from _lines(found, alone, name)
    yield Line("… others meanwhile", probes.summary, probes.held)
    middle, last = (
        max(size for when, size in held if low <= when / seconds < high)
        for low, high in ((0.3, 0.65), (0.65, 9))
    )
    text = f"{middle / 2**20:.0f} MB at most in the middle, {last / 2**20:.0f} MB in the end"
    yield Line("… memory", text, last < max(middle * _MAY_GROW, middle + _MAY_GROW_BYTES))


_QUANTILES = (("p50", 0.5), ("p95", 0.95), ("at most", 1.0))


def at(values: Sequence[float], quantile: float) -> float:
    return values[min(int(len(values) * quantile), len(values) - 1)]


def _sorted(found: list[Answer]) -> tuple[list[Answer], list[Answer], list[int]]:
    served = [each for each in found if each.status == 200]
    refused = [each for each in found if each.status == 429]
    return served, refused, sorted({each.status for each in found} - {200, 429})


def _lines(found: list[Answer], alone: float, name: str) -> Iterator[Line]:
    served, refused, odd = _sorted(found)
    took = sorted(each.took_s for each in served)
    p95 = at(took, 0.95) - alone if took else float("inf")
    answer = f"{len(served)} served, p95 wait {p95:.1f} s; others: {odd or 'none'}"
    yield Line(name, answer, p95 < _LIMIT_S and not odd)
    if first := sorted(each.first_s for each in refused):
        spread = " ".join(f"{name} {1000 * at(first, q):.0f}" for name, q in _QUANTILES)
        later = sorted(each.later for each in refused)
        answer = (
            f"{len(first)}, first byte after {spread} ms; Retry-After {later[0]} to {later[-1]}"
        )
        yield Line("… refused", answer, at(first, 0.5) < _REFUSED_S)


async def _burst(target: Target, clients: int) -> list[Answer]:
    body = form(sample())
    start = asyncio.Event()
    waiting = 0

    async def ready() -> None:
        nonlocal waiting
        waiting += 1
        if waiting == clients:
            start.set()
        await start.wait()

    return list(await asyncio.gather(*[upload(target, body, ready) for _ in range(clients)]))


async def _crowd(target: Target, seconds: float) -> tuple[list[Answer], float, float]:
    """All answers, the seconds of one alone, and how many came a second."""
    body = form(sample())
    alone = (await upload(target, body)).took_s
    began = time.monotonic()
    warm = await asyncio.gather(*[upload(target, body) for _ in range(_AT_ONCE)])
    done = sum(each.status == 200 for each in warm)
    rate = _TIMES * max(done, 1) / (time.monotonic() - began)
    asked: list[asyncio.Task[Answer]] = []
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        if len(asked) <= now * rate:
            asked.append(asyncio.create_task(upload(target, body)))
        else:
            await asyncio.sleep(1 / rate)
    return list(await asyncio.gather(*asked)), alone, rate


@asynccontextmanager
async def _trickling(target: Target) -> AsyncIterator[None]:
    """130 uploads and eight links that give a byte now and then; who is cut off comes again."""
    body = urlencode({"model": "whisper-1", "url": f"{target.remote.url}/drip"}).encode()

    async def uploads() -> None:
        while True:
            await drip(target, 5.0)
            await asyncio.sleep(0.5)

    async def links() -> None:
        while True:
            await _ask(target, body)
            await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(uploads()) for _ in range(_SLOW_UPLOADS)]
    tasks += [asyncio.create_task(links()) for _ in range(_SLOW_LINKS)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(target: Target, body: bytes) -> None:
    host, port = target.service.url.removeprefix("http://").split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return
    try:
        kind = "application/x-www-form-urlencoded"
        writer.write(head(target, len(body), kind) + body)
        await reader.read(1)
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def _watched(target: Target, held: list[tuple[float, int]]) -> AsyncIterator[None]:
    """Puts seconds and bytes of the whole service into `held`."""
    began = time.monotonic()

    async def watch(beside: ProcessPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            size = await loop.run_in_executor(beside, of_tree, target.service.process.pid)
            held.append((time.monotonic() - began, size))
            await asyncio.sleep(_LOOK_EVERY_S)

    # To read the memory of all its processes takes a core for a second: not that of the clients.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as beside:
        watching = asyncio.create_task(watch(beside))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
