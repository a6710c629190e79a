"""A list of jobs: as a table of 80 columns and more, or as columns between tabs."""

import sys
import time
from collections.abc import Iterable
from datetime import datetime

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from serve_app.client.jobs.api import JobObject

_ERROR_FROM_COLUMNS = 120
"""Terminals this wide show why a job failed; on others there is room for its name only."""


def show(jobs: Iterable[JobObject]) -> None:
    """Write jobs to stdout: a table where that is a terminal, else a line each."""
    if not sys.stdout.isatty():
        for job in jobs:
            typer.echo("\t".join(_row(job)))
        return
    console = Console()
    wide = console.width >= _ERROR_FROM_COLUMNS
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("job", no_wrap=True, min_width=36)
    table.add_column("status", no_wrap=True)
    table.add_column("age", no_wrap=True, justify="right")
    table.add_column("name", no_wrap=True, overflow="ellipsis")
    if wide:
        table.add_column("error", overflow="fold")
    now = time.time()
    for job in jobs:
        cells = [job["id"], _status(job), age(now - job["created_at"]), _one_line(job["name"])]
        error = _one_line(job["error"]["message"]) if job["error"] else ""
        # As Text: what a stranger wrote is no markup.
        table.add_row(*(Text(cell) for cell in [*cells, *([error] if wide else [])]))
    if not table.rows:
        typer.echo("There are no such jobs.", err=True)
        return
    console.print(table)


def age(seconds: float) -> str:
    """A span of time in its largest unit: 40 s, 5 min, 3 h, 2 d."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _status(job: JobObject) -> str:
    progress = job["progress"]
    if job["status"] == "running" and progress["duration"]:
        return f"running {100 * progress['recognized'] / progress['duration']:.0f} %"
    return str(job["status"])


def _row(job: JobObject) -> tuple[str, ...]:
    """Id, status, when it was accepted, seconds recognized of how many, its error, its name."""
    created = datetime.fromtimestamp(job["created_at"]).astimezone()
    progress, error = job["progress"], job["error"]
    total = progress["duration"]
    return (
        job["id"],
        job["status"],
        created.isoformat(sep=" ", timespec="seconds"),
        f"{progress['recognized']:.1f}/{'?' if total is None else f'{total:.1f}'}",
        _one_line(error["message"]) if error else "",
        _one_line(job["name"]),
    )


def _one_line(text: str) -> str:
    """What a stranger wrote, without what would steer a terminal or break a column."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
