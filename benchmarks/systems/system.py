"""What all systems have in common: three calls, and what each of them is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

LANGUAGE = "en"
"""All systems are told it, so that none pays for finding it out."""

WHISPER = "bundled:whisper-base"


class CannotTakePart(Exception):
    """A system does not run here. The message says why."""


class System(Protocol):
    """What is measured."""

    def prepare(self, paths: list[Path]) -> None:
        """Do what does not count."""

    def run(self, paths: list[Path], clients: int) -> list[str]:
        """The texts of recordings that `clients` callers ask for, each one after another."""
        ...


def by_clients(one: Callable[[Path], str], paths: list[Path], clients: int) -> list[str]:
    """The texts of recordings that `clients` callers ask for, each one after another."""
    if clients == 1:
        return [one(path) for path in paths]
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, paths))
