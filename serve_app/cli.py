"""The command `rayscribe`: the client's commands, and those of who runs a service: `serve`, which
starts one here, `keys`, which says who may use it, and `batch`, which needs none."""

from typing import Annotated

import typer

from serve_app.bulk import command as bulk
from serve_app.client import shared
from serve_app.client.commands import app
from serve_app.keys import app as keys_app

app.add_typer(keys_app)
app.command(cls=shared.Command, epilog=bulk.EPILOG)(bulk.batch)


@app.command(cls=shared.Command)
def serve(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE", help="A profile: cpu, gpu or multi-gpu, or a YAML file of your own."
        ),
    ] = "cpu",
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Listen on this port, not the profile's.")
    ] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Start Ray's dashboard (about 1 GB).")
    ] = False,
    logs: Annotated[bool, typer.Option("--logs", help="Show the replicas' logs here.")] = False,
    metrics_port: Annotated[
        int, typer.Option(metavar="PORT", help="Where Prometheus finds metrics; 0: any port.")
    ] = 0,
) -> None:
    """Start a service on this machine and stay with it until Ctrl-C.

    The first start fetches the bundled models.
    """
    # Ray takes seconds to import, which no other command has to wait for.
    from serve_app import start  # noqa: PLC0415

    start.prepare(profile)
    start.main(profile, port, dashboard=dashboard, logs=logs, metrics_port=metrics_port)


def main() -> None:
    app()
