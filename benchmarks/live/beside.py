"""The long recording as a file, while others speak."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.systems.graph_client import GraphClient


class LongFile:
    """A recording whose transcription takes a while."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def transcribe(self, client: GraphClient) -> float:
        """Seconds that it takes. Raises RequestFailed."""
        began = time.monotonic()
        client.transcribe(self._path, language="en")
        return time.monotonic() - began

    @contextmanager
    def again_and_again(self, client: GraphClient) -> Iterator[list[float]]:
        """Inside, it is transcribed one time after another; the seconds of those that ended by
        then."""
        took: list[float] = []
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                seconds = self.transcribe(client)
                if not over.is_set():
                    took.append(seconds)

        thread = threading.Thread(target=work, name="long-file")
        thread.start()
        try:
            yield took
        finally:
            over.set()
            thread.join()
