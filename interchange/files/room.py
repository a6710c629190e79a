"""Room on disk, for what must not fill it."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from interchange.errors import ServerError, Unavailable

_RESERVE = 256 * 2**20


class Room:
    """Bytes that may lie on disk at once, told by who writes and removes them, in any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Raises Unavailable where there is no room for so many bytes more."""
        with self._lock:
            if self._taken + size > self._limit:
                raise no_room()
            self._taken += size

    def give_back(self, size: int) -> None:
        with self._lock:
            self._taken -= size


def check_reserve(place: str | int) -> None:
    """Raises Unavailable where the disk of a path or an open file is so full that what else lies
    there, such as a database, might be next to find no room."""
    disk = os.statvfs(place)
    if disk.f_bavail * disk.f_frsize < min(_RESERVE, disk.f_blocks * disk.f_frsize * 0.05):
        raise no_room()


def no_room() -> Unavailable:
    return Unavailable(
        "The service has no room left to keep the recording; try again later.", retry_after=60
    )


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn what the system says of a disk into an error of ours, Unavailable where it is full;
    `what` could not be written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room() from error
        raise ServerError(
            f"{what} could not be written to disk ({error.strerror}); see TMPDIR."
        ) from error
