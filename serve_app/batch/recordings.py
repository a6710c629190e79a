"""Which recordings are meant: a folder or bucket, a pattern, a file, or a list in Parquet."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from interchange.files.anywhere import file_system
from serve_app.batch.parquet import column

_LIST = ".parquet"
_MAGIC = "*?["


class NoRecordings(Exception):
    """There is nothing to transcribe. The message is a sentence on it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """`path` is what the tables call it: absolute on a disk, a URL elsewhere. `size` is in bytes,
    0 where nobody said."""

    path: str
    size: int = 0


def recordings(source: str, suffixes: Collection[str], list_column: str) -> list[Recording]:
    """All recordings of a source, each once; the largest first, as nobody shall wait for one of
    hours in the end. Of a folder those that end in `suffixes`; a list keeps its order.

    Raises NoRecordings.
    """
    if source.lower().startswith(("http://", "https://")):
        raise NoRecordings(f"{source} is one address: put addresses into a Parquet file.")
    files, path = file_system(source)
    if path.lower().endswith(_LIST):
        with files.open(path, "rb") as file:
            names = column(file, list_column)
        found = [Recording(_absolute(name)) for name in dict.fromkeys(names)]
    else:
        there = _there(files, path, suffixes)
        found = sorted(
            (
                Recording(_full_name(source, path, name), int(info.get("size") or 0))
                for name, info in there.items()
                if info.get("type") != "directory"
            ),
            key=lambda each: (-each.size, each.path),
        )
    if not found:
        raise NoRecordings(
            f"There is no recording in {source}: no file whose name ends like one (.wav, .mp3, "
            ".m4a, .mp4 and so on). A pattern such as '**/*.raw' takes any name."
        )
    return found


def _there(files: Any, path: str, suffixes: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
    """Names with what the file system says of them."""
    if any(sign in path for sign in _MAGIC) and not files.exists(path):
        found: dict[str, Mapping[str, Any]] = files.glob(path, detail=True)
        return found
    if files.isfile(path):
        return {path: files.info(path)}
    if not files.isdir(path):
        raise NoRecordings(f"There is nothing at {path}.")
    inside = files.find(path, detail=True)
    return dict(_recordings_in(path, inside, suffixes))


def _recordings_in(
    folder: str, inside: Mapping[str, Mapping[str, Any]], suffixes: Collection[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, info in inside.items():
        own = PurePosixPath(name.removeprefix(folder))
        hidden = any(part.startswith(".") for part in own.parts)
        if own.suffix.lower() in suffixes and not hidden:
            yield name, info


def _full_name(source: str, path: str, name: str) -> str:
    """The URL of a file that its file system calls `name`, as it calls `source` `path`."""
    protocol, separator, rest = source.partition("://")
    if not separator or protocol in ("file", "local"):
        return name
    # Servers for files stand in their URLs, and not in the names that these have there.
    server = rest.rstrip("/").removesuffix(path.strip("/"))
    return f"{protocol}://{server}{name.lstrip('/')}"


def _absolute(name: str) -> str:
    """A list may be read where its paths mean something, and worked on elsewhere."""
    return name if "://" in name else str(Path(name).absolute())
