"""The configuration file: where the service is, and its key, for every command."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import typer

KEYS = ("server", "api_key")


def path() -> Path:
    """Where the platform keeps such files: ~/.config/rayscribe/config.toml on Linux."""
    return platformdirs.user_config_path("rayscribe") / "config.toml"


def settings() -> dict[str, str]:
    """What the file says; nothing where there is none.

    Raises typer.BadParameter for a file that cannot be read or says something unknown.
    """
    try:
        content = tomllib.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _wrong(f"cannot be read: {error}.") from error
    for key, value in content.items():
        if key not in KEYS:
            raise _wrong(f"has an unknown key {key!r}; known are {' and '.join(KEYS)}.")
        if not isinstance(value, str):
            raise _wrong(f'has no text as {key}: write {key} = "…".')
    return content


def defaults(command: Any, values: Mapping[str, str]) -> dict[str, Any]:
    """The values as defaults of a command and of all commands below it, as click takes them."""
    below = getattr(command, "commands", {})
    return {**values, **{name: defaults(each, values) for name, each in below.items()}}


def _wrong(why: str) -> typer.BadParameter:
    return typer.BadParameter(f"it {why}", param_hint=f"'{path()}'")
