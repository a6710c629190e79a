"""The tables that a batch writes, and what they say is done.

Each table is a folder of shards. A shard appears whole or not at all, and nothing but the shards
says which recordings are done: whatever ends a run, the next one takes up the rest.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any, get_args

from fsspec.implementations.local import LocalFileSystem

from interchange.files.anywhere import file_system
from serve_app.batch import parquet
from serve_app.batch.formats import Format, Table
from serve_app.batch.rows import Row

_TABLES: tuple[Table, ...] = get_args(Table)
_PART = ".part"
_READERS = 16

_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "memory"})
"""Stores in which an object appears when all of it has arrived."""


class TargetRefused(Exception):
    """Nothing can be written there. The message is a sentence on it."""


class Tables:
    """Two tables at a URL or in a folder: `transcripts`, and `failures`. One run at a time may
    write to them; on a disk, that is seen to."""

    def __init__(self, url: str, form: Format) -> None:
        """Raises ServerError where the package for the URL, or for Parquet, is not installed."""
        self._files, root = file_system(url)
        self._root = root.rstrip("/")
        self._local = isinstance(self._files, LocalFileSystem)
        protocols = self._files.protocol
        self._whole = bool(_WHOLE & ({protocols} if isinstance(protocols, str) else set(protocols)))
        self._form = form
        self._run = uuid.uuid4().hex[:8]
        self._next = dict.fromkeys(_TABLES, 1)
        self._lock: int | None = None
        if form is Format.PARQUET:
            parquet.check()

    def begin(self, asked: Mapping[str, Any]) -> None:
        """Take the target for a run with these options, and remove what a killed one left.

        Raises TargetRefused where the tables were begun with others, and OSError.
        """
        note = f"{self._root}/batch.json"
        if not self._whole:
            for table in _TABLES:
                self._files.makedirs(f"{self._root}/{table}", exist_ok=True)
        if self._local:
            self._take()
        if self._files.exists(note):
            before = json.loads(self._files.cat_file(note))
            if differing := [name for name in asked if before.get(name) != asked[name]]:
                was = ", ".join(f"{name}={before.get(name)!r}" for name in differing)
                raise TargetRefused(
                    f"{self._root} was begun with other options ({was}): give those, or another "
                    "--output."
                )
        else:
            self._put(note, (json.dumps(asked, indent=2) + "\n").encode())
        for table in _TABLES:
            names = self._names(table)
            for name in names:
                if name.endswith(_PART):
                    self._files.rm_file(name)
            self._next[table] = 1 + len(names)

    def done(self) -> set[str]:
        """Every path that a table has. Raises TargetRefused for a file that is no shard."""
        shards = [name for table in _TABLES for name in self.shards(table)]
        paths: set[str] = set()
        with ThreadPoolExecutor(_READERS) as pool:
            for found in pool.map(self._paths, shards):
                paths.update(found)
        return paths

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        """A shard of these rows. Raises OSError."""
        name = f"{table}/part-{self._next[table]:06}-{self._run}.{self._form}"
        self._next[table] += 1
        content = parquet.encoded(rows, table) if self._form is Format.PARQUET else _lines(rows)
        self._put(f"{self._root}/{name}", content)

    def forget_failures(self, *, of_recordings: bool) -> None:
        """Take out of the failures those that were the program's, so that they are tried again;
        `of_recordings` as well, if that is asked for."""
        shards = self.shards("failures")
        rows = [row for shard in shards for row in self.rows(shard)]
        stay = {row["path"]: row for row in rows if row["fault"] == "recording"}
        kept = [] if of_recordings else list(stay.values())
        if len(kept) == len(rows):
            return
        if kept:
            self.write("failures", kept)
        for shard in shards:
            self._files.rm_file(shard)

    def close(self) -> None:
        """Let others write there."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self) -> None:
        self._lock = os.open(f"{self._root}/.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TargetRefused(f"Another batch writes to {self._root} now.") from error

    def shards(self, table: Table) -> list[str]:
        """Their names, in order."""
        return [name for name in self._names(table) if not name.endswith(_PART)]

    def _names(self, table: Table) -> list[str]:
        self._files.invalidate_cache()  # object stores keep lists
        try:
            names = self._files.ls(f"{self._root}/{table}", detail=False)
        except FileNotFoundError:  # an object store has no folder without a file in it
            return []
        return sorted(name for name in names if PurePosixPath(name).name.startswith("part-"))

    def _paths(self, shard: str) -> list[str]:
        return [row["path"] for row in self.rows(shard, ["path"])]

    def rows(self, shard: str, columns: list[str] | None = None) -> list[Row]:
        """Those of a shard; of these `columns`, or of all. Raises TargetRefused."""
        try:
            with self._files.open(shard, "rb") as file:
                if shard.endswith(".parquet"):
                    return parquet.rows(file, columns)
                return [
                    {name: row[name] for name in columns or row} for row in map(json.loads, file)
                ]
        except (ValueError, KeyError) as error:
            raise TargetRefused(
                f"{shard} is no shard of a batch ({error}): remove it, or give another --output."
            ) from error

    def _put(self, path: str, content: bytes) -> None:
        if self._whole:
            self._files.pipe_file(path, content)
            return
        with self._files.open(f"{path}{_PART}", "wb") as file:
            file.write(content)
            if self._local:
                file.flush()
                os.fsync(file.fileno())
        self._files.mv(f"{path}{_PART}", path)


def _lines(rows: Sequence[Row]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
