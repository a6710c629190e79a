"""How long do the questions to a full job store take? `python -m benchmarks.job_store`.

Fills an empty store, SQLite and PostgreSQL, with jobs of every status, and asks it what the
service and its runners ask all the time.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measuring import results
from benchmarks.measuring.tables import table
from interchange.files.blobs import BlobStore
from interchange.stages import UrlSource
from interchange.transcript import Quality, Segment, Transcript
from serve_app.jobs.delivery import WebhookTarget
from serve_app.jobs.job import NewJob
from serve_app.jobs.store.codec import TRANSCRIPT
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from serve_app.jobs.store.outbox import Outbox
from serve_app.jobs.store.rows import new_row
from serve_app.jobs.store.tables import jobs as rows
from serve_app.transcription.request import TranscriptionRequest
from tests.fakes.postgres import drop_database, fresh_database, postgres_server

LIMIT_MS = 50.0

_RETENTION_S = 7 * 24 * 3600.0
_LIVE_EVERY = 10
"""Each tenth job waits; the others have ended, one in ten of them without a transcript."""


async def measure(url: str, folder: Path, count: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of each question: half of the answers came within `median`."""
    database, blobs = Database(url), BlobStore(f"file://{folder}/blobs")
    store = JobStore(database, blobs, retention_s=_RETENTION_S)
    leases = Leases(
        database, blobs, lease_s=1000, retention_s=_RETENTION_S, inline_bytes=256 * 1024
    )
    outbox = Outbox(database)
    try:
        await _fill(database, count)
        middle = f"job-{count // 2 + 1}"  # one that has ended
        cursor = (await _nth_page(store, count // 200)).cursor
        questions: dict[str, Callable[[], Awaitable[object]]] = {
            "list, first page": lambda: store.page(limit=20),
            "list, page in the middle": lambda: store.page(limit=20, cursor=cursor),
            "list, 100 failed ones": lambda: store.page(status="failed", limit=100),
            "GET /tasks": store.live_tasks,
            "status of a job": lambda: store.get(middle),
            "status of a task": lambda: store.task(middle),
            "transcript": lambda: store.transcript(middle),
            "submit": lambda: store.submit(_new(f"more-{time.monotonic_ns()}")),
            "claim": lambda: leases.claim("runner"),
            "heartbeat": lambda: leases.renew("runner"),
            "look for lost leases": lambda: leases.held("runner"),
            "claim a webhook": lambda: outbox.claim(60),
        }
        return {name: await _times(ask, repeats) for name, ask in questions.items()}
    finally:
        await database.close()


async def _fill(database: Database, count: int) -> None:
    segments = tuple(Segment(2.0 * i, 2.0 * i + 2, f" Sentence {i}.", "en") for i in range(200))
    result = TRANSCRIPT.dump(Transcript(segments, "en", 400.0, None, Quality(transcribed=400.0)))
    now = time.time()
    await database.open()
    for begin in range(0, count, 500):
        numbers = range(begin, min(begin + 500, count))
        some = [_row(number, now - count + number, result) for number in numbers]
        await _enter(database, some)


async def _enter(database: Database, some: list[dict[str, Any]]) -> None:
    await database.write(lambda connection: connection.execute(rows.insert(), some))


def _row(number: int, created_at: float, result: str) -> dict[str, Any]:
    row = new_row(_new(f"job-{number}")) | {"attended": False, "created_at": created_at}
    ended = {"ended_at": created_at + 1, "expires_at": created_at + _RETENTION_S, "due_at": None}
    empty = {"result": None, "error_message": None, "error_status": None, "error_code": None}
    if number % _LIVE_EVERY == 0:
        waiting = {"ended_at": None, "expires_at": None, "due_at": created_at}
        return row | empty | waiting | {"status": "queued"}
    if number % _LIVE_EVERY == 9:
        why = {"error_message": "It is not audio.", "error_status": 400, "error_code": "no_audio"}
        return row | empty | ended | why | {"status": "failed"}
    return row | empty | ended | {"status": "completed", "result": result}


def _new(name: str) -> NewJob:
    request = TranscriptionRequest(id=name, source=UrlSource("https://example.com/a.mp3"))
    return NewJob(request, name, "0" * 64, webhook=WebhookTarget("https://example.com/done"))


async def _nth_page(store: JobStore, number: int) -> Any:
    page = await store.page(limit=100)
    for _ in range(number - 1):
        page = await store.page(limit=100, cursor=page.cursor)
    return page


async def _times(ask: Callable[[], Awaitable[object]], repeats: int) -> dict[str, float]:
    taken = []
    await ask()  # the first one connects, and prepares its statement
    for _ in range(repeats):
        began = time.perf_counter()
        await ask()
        taken.append(1000 * (time.perf_counter() - began))
    taken.sort()
    return {
        "median": taken[len(taken) // 2],
        "p95": taken[int(0.95 * (len(taken) - 1))],
        "max": taken[-1],
    }


@asynccontextmanager
async def _url(kind: str, folder: Path) -> AsyncIterator[str]:
    """The address of an empty store."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/jobs.sqlite"
        return
    with postgres_server() as server:
        url = await fresh_database(server)
        yield url
        await drop_database(server, url)


async def _measure_all(kinds: list[str], count: int, repeats: int) -> dict[str, dict[str, Any]]:
    found = {}
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as name:
            async with _url(kind, Path(name)) as url:
                found[kind] = await measure(url, Path(name), count, repeats)
    return found


def main(
    jobs: Annotated[int, typer.Option(min=1000, help="Jobs in the store.")] = 10_000,
    repeats: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 100,
    stores: Annotated[str, typer.Option(help="Which, separated by commas.")] = "sqlite,postgresql",
) -> None:
    """Print the milliseconds that each question to a full store takes."""
    found = asyncio.run(_measure_all(stores.split(","), jobs, repeats))
    _report(found, jobs)
    path = results.write("job-store", {"jobs": jobs, "repeats": repeats, "milliseconds": found})
    typer.echo(f"Written to {path}")


def _report(found: Mapping[str, Mapping[str, Mapping[str, float]]], count: int) -> None:
    typer.echo(f"{count} jobs in the store; milliseconds of a question:\n")
    headings = ["question", *(f"{kind}, {part}" for kind in found for part in ("median", "p95"))]
    questions = next(iter(found.values()))
    typer.echo(
        table(
            headings,
            [
                [name, *(times[name][p] for times in found.values() for p in ("median", "p95"))]
                for name in questions
            ],
        )
    )
    slowest = max(times["p95"] for each in found.values() for times in each.values())
    verdict = "within" if slowest < LIMIT_MS else "beyond"
    typer.echo(f"\nThe slowest p95 is {slowest:.1f} ms, {verdict} the {LIMIT_MS:g} ms asked for.")


if __name__ == "__main__":
    typer.run(main)
