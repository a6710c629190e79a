"""`rayscribe speakers`: whom the service knows by their voices."""

from typing import Annotated

import typer

from serve_app.client import shared
from serve_app.client.output import tell
from serve_app.client.speakers.api import SpeakerClient

app = typer.Typer(
    name="speakers",
    cls=shared.Group,
    help="People whom the service knows by their voices, for --identify.",
    no_args_is_help=True,
)

Who = Annotated[str, typer.Argument(metavar="WHO", help="A name, or an id, as `list` shows them.")]
Recordings = Annotated[
    list[str],
    typer.Argument(
        metavar="RECORDING",
        help="Up to 5 files or http(s) addresses in which only this person talks; 2 to 10 s each "
        "are best.",
    ),
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="What is written where they speak.")]


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def add(
    name: NewName,
    recordings: Recordings,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 600,
) -> None:
    """Make somebody known by recordings of their voice, and print the id.

    Ask whoever it is first: the service keeps what tells this voice from others.
    """
    found = [each.source for each in shared.sources(recordings)]
    url = shared.address(server)
    with shared.exit_codes(), SpeakerClient(url, api_key, timeout=timeout) as client:
        typer.echo(client.add(name, found)["id"])


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def learn(
    who: Who,
    recordings: Recordings,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 600,
) -> None:
    """Know somebody by further recordings, or by new ones where the service has another model."""
    found = [each.source for each in shared.sources(recordings)]
    url = shared.address(server)
    with shared.exit_codes(), SpeakerClient(url, api_key, timeout=timeout) as client:
        client.learn(client.called(who)["id"], found)


@app.command("list", cls=shared.Command, epilog=shared.EPILOG)
def list_speakers(
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Show who is known, between tabs: id, name, number of recordings."""
    url = shared.address(server)
    with shared.exit_codes(), SpeakerClient(url, api_key, timeout=timeout) as client:
        known = client.speakers()
    for each in known:
        typer.echo(f"{each['id']}\t{each['name']}\t{each['recordings']}")
    tell([each["note"] for each in known if each["note"]])


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def rename(
    who: Who,
    name: NewName,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Call somebody by another name from now on."""
    url = shared.address(server)
    with shared.exit_codes(), SpeakerClient(url, api_key, timeout=timeout) as client:
        client.rename(client.called(who)["id"], name)


@app.command(cls=shared.Command, epilog=shared.EPILOG)
def remove(
    who: Annotated[list[str], typer.Argument(metavar="WHO...", help="Names, or ids.")],
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
    timeout: shared.Timeout = 60,
) -> None:
    """Forget people: nothing of their voices is kept."""
    url = shared.address(server)
    with shared.exit_codes(), SpeakerClient(url, api_key, timeout=timeout) as client:
        for speaker in [client.called(each) for each in who]:
            client.remove(speaker["id"])
