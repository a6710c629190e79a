"""A folder that is made once and then found again, by any number of processes.

What was made is checked by the checksums noted beside it whenever it is asked for, so that a
damaged cache is made anew instead of giving wrong weights.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from deployments.models.wheels import sha256

log = logging.getLogger(__name__)

_MANIFEST = "manifest.json"


def root() -> Path:
    """`$RAYSCRIBE_CACHE`, or ~/.cache/rayscribe/models."""
    given = os.environ.get("RAYSCRIBE_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "rayscribe" / "models"


def cached(name: str, revision: int, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, made by `make(empty folder)` where it is not there.

    It is made under a lock beside its place and then renamed into it: no one ever sees half
    of it. A folder of another `revision`, or one whose files changed, is made anew.
    """
    folder = root() / name
    if _intact(folder, revision):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{name}.lock")):
        if _intact(folder, revision):  # another process made it while this one waited
            return folder
        if folder.exists():
            log.warning("%s is damaged or of another version: making it anew", folder)
        _make(folder, revision, make)
    return folder


def _make(folder: Path, revision: int, make: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        fresh, stale = Path(temporary) / "fresh", Path(temporary) / "stale"
        fresh.mkdir()
        make(fresh)
        for path in fresh.iterdir():
            path.chmod(0o644)  # a cache baked into an image is read by another user
        sums = {path.name: sha256(path) for path in sorted(fresh.iterdir())}
        manifest = json.dumps({"revision": revision, "files": sums}, indent=2)
        (fresh / _MANIFEST).write_text(manifest)
        if folder.exists():
            folder.rename(stale)  # whoever has its files open keeps them
        fresh.rename(folder)


def _intact(folder: Path, revision: int) -> bool:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        return bool(manifest["revision"] == revision) and all(
            sha256(folder / name) == expected for name, expected in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
