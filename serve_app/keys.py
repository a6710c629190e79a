"""`rayscribe keys`: who may use a service that runs here."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from configs.keys import (
    SCOPES,
    KeysUnreadable,
    NamedKey,
    digest,
    is_name,
    new_key,
    read_keys,
    write_keys,
)
from serve_app.client import shared

app = typer.Typer(
    name="keys",
    cls=shared.Group,
    help="Who may use a service that runs here: named keys, in the file that it reads.",
    no_args_is_help=True,
)

File = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        envvar="RAYSCRIBE_KEYS_FILE",
        dir_okay=False,
        help="The service's `keys_file`. A service that runs reads it again within a second.",
    ),
]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")]


class _Scope(StrEnum):
    TRANSCRIBE = "transcribe"
    JOBS = "jobs"
    ADMIN = "admin"


@app.command(cls=shared.Command)
def add(
    name: KeyName,
    file: File,
    scope: Annotated[
        list[_Scope],
        typer.Option(help="What it may do; given again, that too. `admin` sees everybody's jobs."),
    ] = [_Scope.TRANSCRIBE, _Scope.JOBS],  # noqa: B006 - nobody changes it
    hours_a_day: Annotated[
        float | None,
        typer.Option(help="Hours of audio after which it is refused for the day.", min=0.01),
    ] = None,
    waiting_jobs: Annotated[
        int | None, typer.Option(help="Jobs that may wait or run at once.", min=1)
    ] = None,
) -> None:
    """Make a key and print it, once: the file keeps its hash."""
    keys = _keys(file, must_exist=False)
    if not is_name(name):
        _fail(f"{name!r} is no name of a key; letters, digits, dots, - and _ make one.")
    if name in keys:
        _fail(f"There is a key {name!r} already; remove it first.")
    key = new_key()
    named = NamedKey(
        sha256=digest(key),
        scopes=frozenset(each.value for each in scope),
        hours_a_day=hours_a_day,
        waiting_jobs=waiting_jobs,
    )
    _write(file, keys | {name: named})
    typer.echo(key)


@app.command("list", cls=shared.Command)
def list_keys(file: File) -> None:
    """Names, scopes and quotas, between tabs."""
    for name, key in _keys(file).items():
        scopes = ",".join(scope for scope in SCOPES if scope in key.scopes)
        hours = "" if key.hours_a_day is None else f"\t{key.hours_a_day:g} h a day"
        waiting = "" if key.waiting_jobs is None else f"\t{key.waiting_jobs} jobs waiting"
        typer.echo(f"{name}\t{scopes}{hours}{waiting}")


@app.command(cls=shared.Command)
def remove(name: KeyName, file: File) -> None:
    """Make a key invalid. Its jobs stay, for a key of the same name and for admins."""
    keys = _keys(file)
    if keys.pop(name, None) is None:
        _fail(f"There is no key {name!r} in {file}.")
    _write(file, keys)


def _keys(file: Path, *, must_exist: bool = True) -> dict[str, NamedKey]:
    if not must_exist and not file.exists():
        return {}
    try:
        return read_keys(file)
    except KeysUnreadable as error:
        _fail(str(error))


def _write(file: Path, keys: dict[str, NamedKey]) -> None:
    try:
        write_keys(file, keys)
    except OSError as error:
        _fail(f"The keys cannot be written to {file}: {error.strerror}.")


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"rayscribe: {sentence}", err=True)
    raise typer.Exit(2)
