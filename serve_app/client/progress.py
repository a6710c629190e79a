"""What a person sees meanwhile: a line for each recording at work, and one for all.

A line names the stage that its recording is in, so that none stands still near its end: the
upload, loading, words (of how many seconds), speakers. Into a pipe nothing of it goes.
"""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

_NAME_COLUMNS = 28
_REDRAW_S = 0.1


class Board:
    """The lines on stderr; nothing where that is no terminal.

    `total` is how many recordings there are, where there is to be a line for all.
    """

    def __init__(self, total: int | None = None) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, max_width=_NAME_COLUMNS, overflow="ellipsis"),
            ),
            TextColumn("{task.fields[stage]}", table_column=Column(no_wrap=True, min_width=9)),
            BarColumn(bar_width=18),
            TaskProgressColumn(table_column=Column(min_width=4, justify="right")),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            auto_refresh=False,
            disable=not self._console.is_terminal,
            # Lines on the same terminal go above the bars; what goes elsewhere is left alone.
            redirect_stdout=sys.stdout.isatty(),
        )
        # Rich wipes the lines that it believes to be there; drawn by two threads at once, it
        # believes what the other is about to draw, and leaves lines behind.
        self._drawing = threading.Lock()
        self._over = threading.Event()
        self._redraws = threading.Thread(target=self._redraw, daemon=True)
        self._total = total
        self._whole: TaskID | None = None
        if total is not None:
            self._whole = self._progress.add_task("in all", total=total, stage="")
            self._show_whole(0)

    def __enter__(self) -> Self:
        self._progress.start()
        self._redraws.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._redraws.join()
        self._progress.stop()

    @contextmanager
    def line(
        self, name: str, size: int | None = None, *, stage: str, speakers: bool = False
    ) -> Iterator["Line"]:
        """A line, there until the block ends, which begins in a stage. `size` is that of the
        upload in bytes, where there is one and its size is known."""
        with self._drawing:
            task = self._progress.add_task(name, total=size, stage=stage)
        try:
            yield Line(self._progress, task, size, stage, speakers=speakers)
        finally:
            self._progress.remove_task(task)

    def say(self, text: str, done: int | None = None) -> None:
        """One line of text that stays, on stderr; `done` recordings are behind us."""
        if self._console.is_terminal:
            with self._drawing:
                self._console.print(Text(text))
        else:
            typer.echo(text, err=True)
        if done is not None:
            self._show_whole(done)

    def write(self, text: str) -> None:
        """One line of the result, on stdout."""
        with self._drawing:
            print(text, flush=True)

    def _redraw(self) -> None:
        while not self._over.wait(_REDRAW_S):
            with self._drawing:
                self._progress.refresh()

    def _show_whole(self, done: int) -> None:
        if self._whole is not None:
            self._progress.update(self._whole, completed=done, stage=f"{done} of {self._total}")


class Line:
    """One recording's line, told of its upload and of its progress in seconds."""

    def __init__(
        self, progress: Progress, task: TaskID, size: int | None, stage: str, *, speakers: bool
    ) -> None:
        self._progress = progress
        self._task = task
        self._size = size
        self._first = stage
        self._speakers = speakers

    def uploaded(self, sent: int) -> None:
        if self._size is not None and sent >= self._size:
            self._show("loading")
        else:
            self._show("uploading", sent, self._size)

    def recognized(self, event: Mapping[str, Any]) -> None:
        """`loaded` and `recognized` seconds of `total`, which is None until all is loaded."""
        recognized, total = event["recognized"], event["total"]
        if total is None:
            self._show("words" if recognized else "loading" if event["loaded"] else self._first)
        elif recognized < total:
            self._show("words", recognized, total)
        else:
            self._show("speakers" if self._speakers else "writing")

    def _show(self, stage: str, completed: float = 0, total: float | None = None) -> None:
        """Without a total the bar moves to and fro: how far the stage is cannot be known."""
        self._progress.update(self._task, stage=stage, completed=completed, total=total)
