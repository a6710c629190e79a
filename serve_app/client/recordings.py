"""From what is typed to recordings: files, folders, patterns, addresses, standard input."""

import glob
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from serve_app.client.uploads import STDIN, Source

# fmt: off
SUFFIXES = frozenset({
    ".3gp", ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".au", ".avi", ".caf", ".flac",
    ".flv", ".gsm", ".m2ts", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3",
    ".mp4", ".mpeg", ".mpg", ".mts", ".oga", ".ogg", ".ogv", ".opus", ".spx", ".vob", ".wav",
    ".weba", ".webm", ".wma", ".wmv",
})
# fmt: on
"""What a folder is searched for. A file that is named itself may be called anything."""


class NoRecording(Exception):
    """There is nothing to transcribe behind a name. The message is a sentence on it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """`shown` is how it is called on the screen; `names` are what its transcripts may be called,
    without the format: the first that no other recording has is taken."""

    source: Source
    shown: str
    names: tuple[str, ...]


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def holds_several(argument: str) -> bool:
    """Whether what was typed may stand for any number of recordings: a folder, or a pattern."""
    return not is_url(argument) and (Path(argument).is_dir() or _is_pattern(argument))


def recordings(arguments: Sequence[str]) -> list[Recording]:
    """All recordings behind what was typed, in its order, each once. Raises NoRecording."""
    found: dict[str, Recording] = {}
    for argument in arguments:
        for recording in _behind(argument):
            source = recording.source
            known = os.path.realpath(source) if isinstance(source, Path) else source
            found.setdefault("-" if source is STDIN else known, recording)
    return list(found.values())


def one_recording(argument: str) -> Recording:
    """The recording of that name. Raises NoRecording for a folder, and for what is not there."""
    if not is_url(argument) and Path(argument).is_dir():
        raise NoRecording(f"{argument} is a folder; name one recording in it.")
    found = list(_behind(argument))
    if len(found) != 1:
        raise NoRecording(f"{argument} stands for {len(found)} recordings; name one of them.")
    return found[0]


def distinct_names(
    found: Sequence[Recording], forbidden: Collection[str] = frozenset()
) -> list[str]:
    """A name for each recording's transcripts, none like another's, whatever the case.

    Two that would share a name both take their next longer one: `a.mp3` and `a.wav` become
    `a.mp3` and `a.wav` where each alone is `a`. What still collides is numbered. Names in
    `forbidden`, in lower case, are left to what has them.
    """
    level = [0] * len(found)
    while True:
        names = [each.names[at] for each, at in zip(found, level, strict=True)]
        count = Counter(name.casefold() for name in names)
        crowded = [
            i
            for i, name in enumerate(names)
            if (count[name.casefold()] > 1 or name.casefold() in forbidden)
            and level[i] + 1 < len(found[i].names)
        ]
        if not crowded:
            return _numbered(names, forbidden)
        for i in crowded:
            level[i] += 1


def _numbered(names: list[str], forbidden: Collection[str]) -> list[str]:
    taken = set(forbidden)
    distinct = []
    for name in names:
        number, candidate = 1, name
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate.casefold())
        distinct.append(candidate)
    return distinct


def _behind(argument: str) -> Iterator[Recording]:
    if argument == "-":
        yield Recording(STDIN, "stdin", ("stdin",))
    elif is_url(argument):
        yield _fetched(argument)
    elif _is_pattern(argument):
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - may be absolute
        if not matches:
            raise NoRecording(f"no file matches {argument}.")
        for match in matches:
            path = Path(match)
            yield from _inside(path) if path.is_dir() else [_file(path)]
    else:
        path = Path(argument)
        if path.is_dir():
            yield from _inside(path)
        elif path.exists():
            yield _file(path)
        else:
            raise NoRecording(f"there is no file {argument}.")


def _is_pattern(argument: str) -> bool:
    return glob.has_magic(argument) and not Path(argument).exists()


def _fetched(url: str) -> Recording:
    address = urlsplit(url)
    name = _safe(unquote(address.path.rstrip("/").rpartition("/")[2]))
    host = address.hostname or "recording"
    if name in {"", ".", ".."}:
        return Recording(url, host, (host,))
    return Recording(url, name, (_stem(name), name, f"{host}-{name}"))


def _safe(name: str) -> str:
    """A name that a stranger chose, as one that any file system takes."""
    return "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)


def _file(path: Path) -> Recording:
    folder = path.resolve().parent.name
    return Recording(path, path.name, (_stem(path.name), path.name, f"{folder}-{path.name}"))


def _inside(folder: Path) -> Iterator[Recording]:
    """The recordings of a folder and of those in it, by name. Hidden ones are left out."""
    found = False
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            found = True
            inner = path.relative_to(folder).as_posix()
            outer = f"{folder.resolve().name}/{inner}"
            yield Recording(path, inner, (_stem(inner), inner, outer))
    if not found:
        raise NoRecording(
            f"there is no recording in the folder {folder}: no file whose name ends like one "
            "(.wav, .mp3, .m4a, .mp4 and so on). Name files of other names themselves."
        )


def _stem(name: str) -> str:
    """The name without its last ending; a path keeps its folders."""
    return str(PurePosixPath(name).with_suffix(""))
