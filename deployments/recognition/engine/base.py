"""What recognizes: the engine behind its abstract class, so that another can take its place."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import Future

from deployments.recognition.fair_queue import FairQueue
from interchange.errors import Unavailable

log = logging.getLogger("ray.serve")

IDLE_S = 0.5
"""How often an engine without work looks whether it should stop."""
STUCK_S = 120.0
"""After so long without a sign of life an engine counts as stuck."""


class Engine(ABC):
    """Pulls windows from a queue and answers them, in one thread that owns the device."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self._stopping = threading.Event()
        self._broken: BaseException | None = None
        self._alive_at = time.monotonic()
        self._warm: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    @abstractmethod
    def turn(self) -> bool:
        """Do a little work, and say whether there was any. Called again and again."""

    def warm_up(self) -> None:  # noqa: B027 - not every engine has to
        """Do once what the first window would otherwise wait for."""

    def abandon(self, error: Exception) -> None:  # noqa: B027 - not every engine has to
        """Answer what is under way with `error`: the engine is about to end."""

    def start(self) -> None:
        """Begin to serve; returns when the engine is warm. Raises what its warming up raises."""
        self._thread.start()
        self._warm.result()

    def stop(self, timeout: float = 10.0) -> None:
        """End the thread; what waits or runs is answered with Unavailable."""
        self._stopping.set()
        self.queue.close(Unavailable("The recognizer is shutting down; try again.", 1))
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def check(self) -> None:
        """Raises Unavailable where the engine has ended, or shows no sign of life."""
        if self._broken is not None:
            raise Unavailable(f"The recognition engine failed: {self._broken}")
        if not self._thread.is_alive():
            raise Unavailable("The recognition engine is not running.")
        silent = time.monotonic() - self._alive_at
        if silent > STUCK_S:
            raise Unavailable(f"The recognition engine has not moved for {silent:.0f} s.")

    def _run(self) -> None:
        try:
            # Here and not in `start`: whatever a thread leaves behind, it shall be this one's.
            self.warm_up()
            self._warm.set_result(None)
            while not self._stopping.is_set():
                self._alive_at = time.monotonic()
                if not self.turn():
                    self.queue.wait(IDLE_S)
        except BaseException as error:
            self._broken = error
            if not self._warm.done():
                self._warm.set_exception(error)
                return
            # Only a fresh process can be trusted after this: the health check reports it.
            log.exception("The recognition engine failed.")
            raise
        finally:
            error_ = Unavailable("The recognition engine ended before it was done; try again.", 1)
            self.queue.close(error_)
            self.abandon(error_)
