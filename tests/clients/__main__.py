"""Install each client, let it do its calls, and print a table of what they did."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tests.clients.environments import CLIENTS, FOLDER, Client, command, install
from tests.support.recordings.speech import SAMPLE
from tests.support.running.service import service

_CALLS_S = 600
"""How long all the calls of one client may take."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call; `error` is None where it did what it should."""

    call: str
    error: str | None


def main(
    url: Annotated[str | None, typer.Option(help="A running graph; else one is started.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Scripts that begin so.")] = None,
) -> None:
    """Exit code 1 says that some call failed."""
    chosen = [each for each in CLIENTS if not only or each.script.startswith(tuple(only))]
    failed = False
    with _graph(url) as address, tempfile.TemporaryDirectory() as folder:
        file = Path(shutil.copy(SAMPLE, folder))
        print("| client | packages | call | result |\n| --- | --- | --- | --- |", flush=True)
        for client in chosen:
            for outcome in _outcomes(client, address, file):
                failed = failed or outcome.error is not None
                print(_row(client, outcome), flush=True)
    raise typer.Exit(int(failed))


@contextmanager
def _graph(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url.rstrip("/")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log, service(log) as running:
        yield running.url


def _outcomes(client: Client, url: str, file: Path) -> list[Outcome]:
    try:
        install(client)
    except subprocess.CalledProcessError as error:
        return [Outcome("installation", " ".join(error.stderr.split())[-300:])]
    log = FOLDER / f"{client.script}.log"
    with log.open("w") as errors:
        done = subprocess.run(
            command(client),
            env={**os.environ, "RAYSCRIBE_URL": url, "RAYSCRIBE_FILE": str(file)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=_CALLS_S,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"call"')]
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    if done.returncode or not outcomes:
        outcomes.append(Outcome("all", f"ended with {done.returncode}; see {log}"))
    return outcomes


def _row(client: Client, outcome: Outcome) -> str:
    result = "works" if outcome.error is None else outcome.error.replace("|", "\\|")[:300]
    packages = ", ".join(client.packages)
    return f"| {client.title} | {packages} | {outcome.call} | {result} |"


if __name__ == "__main__":
    typer.run(main)
