"""`make attack`: start the service, attack it, and write one line an attack."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.attack import bodies, crowd, document, faults, names, recordings
from benchmarks.attack.target import KEY, Canary, Line, Target
from benchmarks.measuring import results
from benchmarks.measuring.tables import table
from tests.support.recordings.speech import SAMPLE
from tests.support.running.remote import remote_server
from tests.support.running.service import service

Attack = Callable[[Target], Iterator[Line]]


def main(
    only: Annotated[str, typer.Option(help="Some of the attacks, comma-separated.")] = "",
    clients: Annotated[int, typer.Option(help="How many come in one moment.")] = 160,
    seconds: Annotated[float, typer.Option(help="For how long too many come.")] = 60,
    examples: Annotated[int, typer.Option(help="Requests of a route, by the document.")] = 10,
) -> None:
    """Attack a service on loopback; exit 1 where it did not hold."""
    attacks: dict[str, Attack] = {
        "ports": faults.ports,
        "forms": bodies.malformed,
        "trickle": bodies.trickling,
        "links": recordings.links,
        "slow": recordings.slow_links,
        "bombs": recordings.bombs,
        "names": names.names,
        "document": partial(document.document, examples=examples),
        "burst": partial(crowd.burst, clients=clients),
        "crowd": partial(crowd.crowd, seconds=seconds),
        "siege": partial(crowd.siege, seconds=seconds),
        "store": faults.locked_store,
        "logs": faults.logs,
        "leave": faults.leaving,
        "ingress": faults.killed_ingress,
        "killed": faults.killed_stages,
        "hung": faults.hung_recognizer,
    }
    chosen = only.split(",") if only else list(attacks)
    lines: list[Line] = []
    with ExitStack() as stack:
        target = _target(stack)
        for name in chosen:
            for line in attacks[name](target):
                lines.append(line)
                typer.echo(f"{'held' if line.held else 'BROKE'}: {line.attack}: {line.answer}")
    rows = [[line.attack, line.answer, "yes" if line.held else "NO"] for line in lines]
    typer.echo("\n" + table(["attack", "answer", "held"], rows))
    found = {"lines": [[line.attack, line.answer, line.held] for line in lines]}
    typer.echo(f"Written to {results.write('attack', found)}")
    if not all(line.held for line in lines):
        raise typer.Exit(1)


def _target(stack: ExitStack) -> Target:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rayscribe-attack-")))
    remote = stack.enter_context(remote_server(SAMPLE.parent))
    log = stack.enter_context((folder / "log").open("w"))
    env = {
        "ADMIN_KEY": KEY,
        # The web server of the attack may be fetched from, and no other address of this machine.
        "RAYSCRIBE_ALLOWED_NETWORKS": "127.0.0.1/32",
        "RAYSCRIBE_STORAGE": f"file://{folder}/storage",
        "RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{folder}/jobs.sqlite",
        "RAYSCRIBE_FETCH__READ_TIMEOUT_S": "5",
    }
    server, under = stack.enter_context(names.name_server(folder))
    running = stack.enter_context(service(log, env=env, under=under))
    return Target(running, folder, remote, Canary(), server)


if __name__ == "__main__":
    typer.run(main)
