"""The processes that decode, as their loader sees them."""

import atexit
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

from deployments.audio.child.forkserver import FORK, PID, STATUS
from deployments.audio.child.messages import Channel, Gone, Silent
from interchange.errors import HarmfulRecording, ServerError, Unavailable

log = logging.getLogger("ray.serve")

_ROOT = Path(__file__).parents[3]
_SERVER = "deployments.audio.child.forkserver"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Of the environment, which holds secrets."""

_SILENCE_S = 300.0
"""Without a word of a child that is not waited for: it computes at most a tenth of that."""

_STATUS_S = 30.0
_END_S = 10.0

_RECORDINGS = 16
"""That a child decodes; then it goes, with all that was in its memory."""

_IDLE = 4
"""Children that are kept for what comes next."""

_TOO_SLOW = (signal.SIGPROF, signal.SIGXCPU)

CRASHES = (
    "The file makes the decoder crash: it is damaged, or made to do so. Convert it to WAV, FLAC or "
    "MP3, and send that."
)
TAKES_TOO_LONG = (
    "The file takes too long to decode: it is damaged, or made to do so. Convert it to WAV, FLAC "
    "or MP3, and send that."
)


class Children:
    """Children that decode, and the server that they come from, which starts when first needed.

    A child that did well gets another recording, some times: a new one takes twenty milliseconds
    of a core. It may take `longest_s` seconds of sound for a recording.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._confined = True

    def take(self) -> "Child":
        """Raises Unavailable where no process can be started."""
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                child.close()
        return self._new()

    def take_back(self, child: "Child") -> None:
        """`child` has decoded a recording, and did well."""
        child.recordings += 1
        with self._lock:
            if child.recordings < _RECORDINGS and len(self._idle) < _IDLE:
                self._idle.append(child)
                return
        child.close()

    def close(self) -> None:
        """End the server and all children."""
        with self._lock:
            for child in self._idle:
                child.close()
            self._idle = []
            if self._control is not None:
                self._control.close()
            if self._server is not None:
                try:
                    self._server.wait(_END_S)
                except subprocess.TimeoutExpired:  # it hangs
                    self._server.kill()
                    self._server.wait()
            self._control = self._server = None

    def _new(self) -> "Child":
        for _ in range(2):
            ours, theirs = socket.socketpair()
            leash, end = socket.socketpair()
            try:
                with theirs, end, self._lock:
                    descriptors = [theirs.fileno(), end.fileno()]
                    socket.send_fds(self._running(), [FORK.pack(self._longest_s)], descriptors)
                child = Child(ours, leash)
            except (OSError, Gone, Silent):
                ours.close()
                leash.close()
                self.close()  # the server is gone; another one will do
                continue
            if self._confined and not child.confined:
                self._confined = False
                log.warning(
                    "This system does not let a process give up its rights (seccomp): recordings "
                    "are decoded under limits of memory and time only."
                )
            return child
        raise Unavailable("No process can be started to decode recordings; try again later.", 30)

    def _running(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            environment |= {"PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1"}
            with theirs:
                self._server = subprocess.Popen(
                    [sys.executable, "-P", "-m", _SERVER, str(theirs.fileno())],
                    env=environment,
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
        return self._control


@cache
def shared_children(longest_s: float) -> Children:
    """One server a process is enough."""
    children = Children(longest_s)
    atexit.register(children.close)
    return children


class Child:
    """A process, and the two sockets to it. Raises Gone where it does not come up."""

    def __init__(self, sock: socket.socket, leash: socket.socket) -> None:
        self._socket = sock
        self._leash = leash
        self._leash.settimeout(_STATUS_S)
        self._socket.settimeout(_SILENCE_S)
        self.channel = Channel(sock)
        self.pid = int(PID.unpack(_exactly(leash, PID.size))[0])
        self.confined = self.channel.is_confined()
        self.recordings = 0

    def is_alive(self) -> bool:
        return not select.select([self._leash], [], [], 0)[0]

    def cancel(self) -> None:
        """End it, from any thread; whoever waits for it is told that it is gone."""
        for each in (self._socket, self._leash):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()
        self._leash.close()

    def death(self) -> Exception:
        """What to raise when it is gone."""
        try:
            status = int(STATUS.unpack(_exactly(self._leash, STATUS.size))[0])
        except (Gone, OSError):
            return Unavailable("The process that decoded the recording was ended; try again.", 5)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        log.warning("A process that decoded a recording was ended by signal %d.", number)
        if number in _TOO_SLOW:
            return HarmfulRecording(TAKES_TOO_LONG)
        if number == signal.SIGKILL:
            # None of its limits does this: the machine is out of memory, or somebody did it.
            return Unavailable("The process that decoded the recording was killed; try again.", 30)
        if number:
            return HarmfulRecording(CRASHES)
        return ServerError("The process that decoded the recording broke off.")


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = sock.recv(size, socket.MSG_WAITALL)
    if len(data) < size:
        raise Gone
    return data
