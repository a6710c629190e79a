"""Recordings that lie wherever fsspec reaches: a disk, a bucket, a server for files."""

from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from interchange.errors import Forbidden, NotFound, ServerError
from interchange.stages import BlobSource

_BLOCK_BYTES = 4 * 2**20
"""Read ahead at a time where a file is not on a disk: short ones come with one request."""


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, or of a path on disk, and its own name of what lies there.

    Raises ServerError where the package for it is not installed.
    """
    protocol, separator, _ = url.partition("://")
    try:
        # Not `url_to_fs`: for it "::" in a name joins two file systems.
        kind = fsspec.get_filesystem_class(protocol if separator else "file")
        return kind(**kind._get_kwargs_from_urls(url)), str(kind._strip_protocol(url))
    except (ImportError, ValueError) as error:
        raise ServerError(f"Nothing here reads addresses such as {url}: {error}") from error


class Anywhere:
    """Opens recordings whose BlobSource names no key of the storage, but a URL or a path."""

    def open(self, source: BlobSource) -> BinaryIO:
        """The recording as a seekable file. Raises NotFound, Forbidden, and what reading it
        raises."""
        try:
            if "://" not in source.path:
                return Path(source.path).open("rb")
            files, path = file_system(source.path)
            return cast(BinaryIO, files.open(path, "rb", block_size=_BLOCK_BYTES))
        except FileNotFoundError as error:
            raise NotFound(f"There is no recording {source.path}.") from error
        except PermissionError as error:
            raise Forbidden(f"The recording {source.path} may not be read: {error}") from error
