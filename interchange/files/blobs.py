"""Uploaded recordings and large results, where every node can read them.

A folder on one machine; on a cluster, a shared volume or an object store, by any URL that
fsspec knows (`s3://bucket/prefix` needs the package s3fs).
"""

import asyncio
import math
import os
import re
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from interchange.errors import NotFound, Unavailable
from interchange.files.room import check_reserve, no_room
from interchange.stages import BlobSource

_COUNTED_BYTES = 8 * 2**20
_COUNTED_S = 1.0
"""An upload asks for the size of the store as often, so that all together may exceed the most by
what arrives meanwhile. Nobody else keeps count: several processes write, and others delete."""

_TOUCHED_S = 10.0
_FORSAKEN_S = 40.0
"""In a folder a file's time of change says that somebody still wants it. A process that keeps an
upload for a request renews it that often; what was not renewed for so long has lost its process."""

_OLD_S = 24 * 3600.0
"""No request lasts so long: what tells a leftover in an object store, whose files have no other
time than that of their making."""

_KEY = re.compile(r"/[0-9a-f]{32}$")
"""What `uuid4().hex` makes: other files in the folder are none of ours."""


class BlobStore:
    """Files under one fsspec URL. Keys are made here and never from a client's file name."""

    def __init__(self, url: str, *, most_bytes: int | None = None) -> None:
        """No recording is taken that would make all files together larger than `most_bytes`."""
        self._files, self._root = fsspec.core.url_to_fs(url)
        self._local = isinstance(self._files, LocalFileSystem)
        self._kept: dict[str, asyncio.Task[None]] = {}
        self._most = most_bytes
        self._size = (-math.inf, 0)  # when the files were counted, and their bytes

    async def save(self, chunks: AsyncIterable[bytes], name: str) -> BlobSource:
        """Write a stream; memory holds one chunk. A broken stream leaves nothing behind.

        Raises Unavailable where the store cannot be written to, or holds too much already.
        """
        return await self._write(chunks, name, self._most)

    async def _write(self, chunks: AsyncIterable[bytes], name: str, most: int | None) -> BlobSource:
        source = BlobSource(uuid.uuid4().hex, name)
        file = await self._created(source)
        try:
            uncounted = _COUNTED_BYTES
            async for chunk in chunks:
                if most is not None and uncounted >= _COUNTED_BYTES:
                    await asyncio.to_thread(self._check_room, most)
                    uncounted = 0
                uncounted += len(chunk)
                try:
                    await asyncio.to_thread(file.write, chunk)
                except OSError as error:
                    raise self._unwritable(error) from error
            try:
                await asyncio.to_thread(file.close)
            except OSError as error:
                raise self._unwritable(error) from error
        except BaseException:
            self.hand_over(source)
            await asyncio.shield(asyncio.to_thread(self._discard, file, source))
            raise
        return source

    async def _created(self, source: BlobSource) -> BinaryIO:
        """An empty file for it. Who is cancelled meanwhile leaves none."""
        creating = asyncio.ensure_future(asyncio.to_thread(self._create, source))

        def discard(done: asyncio.Future[BinaryIO]) -> None:
            if done.exception() is None:
                self._discard(done.result(), source)

        try:
            file = await asyncio.shield(creating)
        except asyncio.CancelledError:
            creating.add_done_callback(discard)
            raise
        except OSError as error:
            raise self._unwritable(error) from error
        if self._local:
            self._kept[source.path] = asyncio.create_task(self._keep(source))
        return file

    def _create(self, source: BlobSource) -> BinaryIO:
        if self._local:  # recordings are nobody else's business
            Path(self._root).mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path(source), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            return cast(BinaryIO, os.fdopen(descriptor, "wb"))
        self._files.makedirs(self._root, exist_ok=True)
        return cast(BinaryIO, self._files.open(self._path(source), "wb"))

    async def _keep(self, source: BlobSource) -> None:
        with suppress(FileNotFoundError):  # somebody else has removed it
            while True:
                os.utime(self._path(source))
                await asyncio.sleep(_TOUCHED_S)
        self._kept.pop(source.path, None)

    def hand_over(self, source: BlobSource) -> None:
        """A job has it now: it need not be kept from those who look for leftovers."""
        if (keeping := self._kept.pop(source.path, None)) is not None:
            keeping.cancel()

    async def put(self, content: bytes) -> str:
        """Store a result too large for a row of the job store, and return its key.

        Raises Unavailable where the store cannot be written to.
        """

        async def whole() -> AsyncIterator[bytes]:
            yield content

        source = await self._write(whole(), "result", None)
        self.hand_over(source)
        return source.path

    async def get(self, key: str) -> bytes:
        """What `put` stored. Raises NotFound."""
        file = await asyncio.to_thread(self.open, BlobSource(key, "result"))
        with file:
            return await asyncio.to_thread(file.read)

    def open(self, source: BlobSource) -> BinaryIO:
        """The recording as a seekable file. Raises NotFound."""
        try:
            return cast(BinaryIO, self._files.open(self._path(source), "rb"))
        except FileNotFoundError as error:
            raise NotFound(
                f"The uploaded recording {source.name!r} is no longer stored; upload it again."
            ) from error

    async def delete(self, source: BlobSource) -> None:
        """Remove a recording; it is no error if it is gone already."""
        self.hand_over(source)
        await asyncio.to_thread(self._remove, source)

    async def leftovers(self) -> list[str]:
        """Keys of files that no living process keeps, unless a job has them. Raises Unavailable."""
        return await asyncio.to_thread(self._leftovers)

    def _leftovers(self) -> list[str]:
        try:
            if not self._files.exists(self._root):
                return []
            before = self._now() - (_FORSAKEN_S if self._local else _OLD_S)
            paths = [path for path in self._files.find(self._root) if _KEY.search(path)]
            return [path.rpartition("/")[2] for path in paths if self._changed(path) < before]
        except OSError as error:
            raise Unavailable(f"The blob store cannot be listed: {error}", 30) from error

    def _now(self) -> float:
        """By the clock that the files' times are of: that of whoever serves the folder."""
        if not self._local:
            return time.time()
        clock = Path(self._root) / ".clock"
        clock.touch(mode=0o600)
        os.utime(clock)
        return clock.stat().st_mtime

    def _changed(self, path: str) -> float:
        try:
            return cast(float, self._files.modified(path).timestamp())
        except FileNotFoundError:  # removed meanwhile
            return math.inf

    def _check_room(self, most: int) -> None:
        if self._local:
            check_reserve(self._root)
        moment, size = self._size
        if time.monotonic() > moment + _COUNTED_S:
            size = self._held()
            self._size = time.monotonic(), size
        if size >= most:
            raise no_room()

    def _held(self) -> int:
        """Bytes of all files. Other processes remove some while they are counted."""
        if not self._local:
            self._files.invalidate_cache(self._root)  # object stores keep lists
            return sum(
                found["size"] for found in self._files.find(self._root, detail=True).values()
            )
        size = 0
        for folder, _, names in os.walk(self._root):
            for name in names:
                with suppress(FileNotFoundError):
                    size += Path(folder, name).stat().st_size
        return size

    def _path(self, source: BlobSource) -> str:
        return f"{self._root}/{source.path}"

    def _remove(self, source: BlobSource) -> None:
        try:
            self._files.rm_file(self._path(source))
        except FileNotFoundError:
            return

    def _discard(self, file: BinaryIO, source: BlobSource) -> None:
        try:
            file.close()
        finally:
            self._remove(source)

    @staticmethod
    def _unwritable(error: OSError) -> Unavailable:
        return Unavailable(
            f"The upload could not be stored ({error.strerror or error}); free space in, or "
            "mend, the storage of the service.",
            30,
        )
