"""Opening an uploaded recording where the storage setting says that uploads lie."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec

from deployments.audio.decode import Readable
from serve_app.errors import NotFound
from serve_app.transcription.stages import BlobSource


class _Nameless:
    """A file object without its name: the decoder must go by the content alone."""

    def __init__(self, file: Any) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell

    def seekable(self) -> bool:
        return True


class Storage:
    """The blob store behind an fsspec URL such as `file:///folder` or `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        self._files, self._root = fsspec.core.url_to_fs(url)

    @contextmanager
    def open(self, source: BlobSource) -> Iterator[Readable]:
        """A reader of `source`. Raises NotFound.

        Nothing is copied: a local file is read where it lies, a remote one in ranges.
        """
        parts = source.path.split("/")
        if not all(parts) or any(part in (".", "..") for part in parts):
            raise NotFound("The recording's place in the store is not a valid one.")
        try:
            file = self._files.open(f"{self._root.rstrip('/')}/{source.path}", "rb")
        except FileNotFoundError as error:
            raise NotFound("The uploaded recording is no longer stored; send it again.") from error
        with file:
            yield _Nameless(file)
