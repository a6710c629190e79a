"""Where answers go: to stdout, or whole into a file."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import typer


def write(answer: Any, output: Path | None = None) -> None:
    """Text as it is, anything else as JSON; to a file, or to stdout. Raises OSError.

    A file is written beside its place and moved there, so that what is there is whole. What is
    no plain file, such as a pipe, is written to as it is.
    """
    text = (
        answer
        if isinstance(answer, str)
        else json.dumps(answer, ensure_ascii=False, indent=2) + "\n"
    )
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    elif output.exists() and (output.is_symlink() or not output.is_file()):
        output.write_text(text, encoding="utf-8")
    else:
        part = output.with_name(f".{output.name}.{os.getpid()}.part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)


def tell(notes: list[str]) -> None:
    """What the service says is missing, to stderr: a transcript alone goes to stdout."""
    for note in notes:
        typer.echo(f"rayscribe: {note}", err=True)
