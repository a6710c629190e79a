"""Room on disk, for what must not fill it."""

import threading

from interchange.errors import Unavailable


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


def no_room() -> Unavailable:
    return Unavailable(
        "The service has no room left to keep the recording; try again later.", retry_after=60
    )
