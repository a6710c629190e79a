"""Uploaded recordings and large results, where every node can read them.

A folder on one machine; on a cluster, a shared volume or an object store, by any URL that
fsspec knows (`s3://bucket/prefix` needs the package s3fs).
"""

import asyncio
import math
import re
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from typing import BinaryIO, cast

import fsspec

from interchange.errors import NotFound, Unavailable
from interchange.room import no_room
from interchange.stages import BlobSource

_COUNTED_BYTES = 8 * 2**20
_COUNTED_S = 1.0
"""An upload asks for the size of the store as often, so that all together may exceed the most by
what arrives meanwhile. Nobody else keeps count: several processes write, and others delete."""

_KEY = re.compile(r"/[0-9a-f]{32}$")
"""What `uuid4().hex` makes: other files in the folder are none of ours."""


class BlobStore:
    """Files under one fsspec URL. Keys are made here and never from a client's file name."""

    def __init__(self, url: str, *, most_bytes: int | None = None) -> None:
        """No recording is taken that would make all files together larger than `most_bytes`."""
        self._files, self._root = fsspec.core.url_to_fs(url)
        self._most = most_bytes
        self._size = (-math.inf, 0)  # when the files were counted, and their bytes

    async def save(self, chunks: AsyncIterable[bytes], name: str) -> BlobSource:
        """Write a stream; memory holds one chunk. A broken stream leaves nothing behind.

        Raises Unavailable where the store cannot be written to, or holds too much already.
        """
        return await self._write(chunks, name, self._most)

    async def _write(self, chunks: AsyncIterable[bytes], name: str, most: int | None) -> BlobSource:
        source = BlobSource(uuid.uuid4().hex, name)
        try:
            await asyncio.to_thread(self._files.makedirs, self._root, exist_ok=True)
            file = await asyncio.to_thread(self._files.open, self._path(source), "wb")
        except OSError as error:
            raise self._unwritable(error) from error
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
            await asyncio.shield(asyncio.to_thread(self._discard, file, source))
            raise
        return source

    async def put(self, content: bytes) -> str:
        """Store a result too large for a row of the job store, and return its key.

        Raises Unavailable where the store cannot be written to.
        """

        async def whole() -> AsyncIterator[bytes]:
            yield content

        return (await self._write(whole(), "result", None)).path

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
        await asyncio.to_thread(self._remove, source)

    async def older_than(self, seconds: float) -> list[str]:
        """Keys of what was stored longer ago than that. Raises Unavailable."""
        return await asyncio.to_thread(self._older_than, time.time() - seconds)

    def _older_than(self, moment: float) -> list[str]:
        try:
            if not self._files.exists(self._root):
                return []
            paths = [path for path in self._files.find(self._root) if _KEY.search(path)]
            return [
                path.rpartition("/")[2]
                for path in paths
                if self._files.modified(path).timestamp() < moment
            ]
        except OSError as error:
            raise Unavailable(f"The blob store cannot be listed: {error}", 30) from error

    def _check_room(self, most: int) -> None:
        moment, size = self._size
        if time.monotonic() > moment + _COUNTED_S:
            self._files.invalidate_cache(self._root)  # object stores keep lists
            size = self._files.du(self._root)
            self._size = time.monotonic(), size
        if size >= most:
            raise no_room()

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
