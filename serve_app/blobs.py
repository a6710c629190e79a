"""Uploaded recordings, where every node can read them.

A folder on one machine; on a cluster, a shared volume or an object store, by any URL that
fsspec knows (`s3://bucket/prefix` needs the package s3fs).
"""

import asyncio
import uuid
from collections.abc import AsyncIterable
from typing import BinaryIO, cast

import fsspec

from serve_app.errors import NotFound, Unavailable
from serve_app.transcription.stages import BlobSource


class BlobStore:
    """Files under one fsspec URL. Keys are made here and never from a client's file name."""

    def __init__(self, url: str) -> None:
        self._files, self._root = fsspec.core.url_to_fs(url)

    async def save(self, chunks: AsyncIterable[bytes], name: str) -> BlobSource:
        """Write a stream; memory holds one chunk. A broken stream leaves nothing behind.

        Raises Unavailable where the store cannot be written to.
        """
        source = BlobSource(uuid.uuid4().hex, name)
        try:
            await asyncio.to_thread(self._files.makedirs, self._root, exist_ok=True)
            file = await asyncio.to_thread(self._files.open, self._path(source), "wb")
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            async for chunk in chunks:
                try:
                    await asyncio.to_thread(file.write, chunk)
                except OSError as error:
                    raise self._unwritable(error) from error
            await asyncio.to_thread(file.close)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._discard, file, source))
            raise
        return source

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
