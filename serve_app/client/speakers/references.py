"""Recordings of voices that go along with a request, such as `Ann=ann.wav`."""

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path

import typer

from serve_app.client.recordings import is_url


def references(given: Sequence[str]) -> list[tuple[str, str]]:
    """Names, each with a data URL, or the address to fetch.

    Raises BadParameter for what is not a name and a recording, and OSError for a file.
    """
    return [_known(each) for each in given]


def _known(given: str) -> tuple[str, str]:
    name, sign, recording = given.partition("=")
    if not (name.strip() and sign and recording):
        raise typer.BadParameter(
            f"{given!r} is not a name, then = and a recording, such as Ann=ann.wav.",
            param_hint="'--known-speaker'",
        )
    return name.strip(), recording if is_url(recording) else _data_url(Path(recording))


def _data_url(file: Path) -> str:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
