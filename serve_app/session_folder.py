"""Where Ray keeps sockets, logs and what its memory has no room for: recordings among it.

Ray's own place is a folder in /tmp that everybody may read, and stays when the machine crashes.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_TOKEN = Path(".ray") / "auth_token"


class FolderRefused(Exception):
    """The message says why the folder cannot be used."""


@contextmanager
def session_folder() -> Iterator[Path]:
    """A folder of this user's alone; those of services that are gone are removed.

    From here on what this process and its children make is their user's alone. Raises
    FolderRefused.
    """
    os.umask(0o077)
    with suppress(OSError):  # Ray makes it once, for everybody to read
        (Path.home() / _TOKEN).chmod(0o600)
    root = _root()
    with _locked(root / "lock"):  # no other start may take a new folder for a leftover
        _remove_leftovers(root)
        folder = Path(tempfile.mkdtemp(dir=root))
        lock = _locked(folder / "lock")
    with lock:
        yield folder


def _root() -> Path:
    # Short, as the paths of sockets are limited to a hundred characters.
    root = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / f"rayscribe-{os.getuid()}"
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        found = root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise FolderRefused(
                f"{root} belongs to somebody else; remove it, or set RAY_TMPDIR to another folder."
            )
        root.chmod(0o700)
    except OSError as error:
        raise FolderRefused(f"{root} cannot be made ({error.strerror}); set RAY_TMPDIR.") from error
    return root


def _remove_leftovers(root: Path) -> None:
    for folder in root.iterdir():
        if folder.is_dir():
            with suppress(BlockingIOError), _locked(folder / "lock", wait=False):
                shutil.rmtree(folder, ignore_errors=True)


def _locked(path: Path, *, wait: bool = True) -> IO[str]:
    """An open file that is locked until it is closed, or its process is gone."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        file.close()
        raise
    return file
