"""The process that decoding children are forked from: `python -m …forkserver DESCRIPTOR`.

It has imported FFmpeg and neither torch nor Ray, so a child costs milliseconds. For each child
its loader sends two sockets. Over the first, loader and child talk to each other (`messages`).
The second is the child's leash: it tells the child's number and, in the end, how it ended; when
the loader lets go of it, the child is killed. When the loader is gone, so is all of this.

A child decodes one recording after another, until its loader wants another one.
"""

import gc
import os
import pkgutil
import selectors
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from importlib import import_module

import av

from deployments.audio.child import limits, seccomp
from deployments.audio.child.messages import FAULT, OUT_OF_MEMORY, Channel, Gone
from deployments.audio.media.reading import Piece, read
from interchange.stages import SAMPLE_RATE

FORK = struct.Struct("<d")
"""How many seconds of sound a recording has at most."""

PID = struct.Struct("<i")
STATUS = struct.Struct("<i")

_NO_PART_OF_DECODING = ("__main__", "datasets")

_OWN = 3
"""The one descriptor of a child beside the standard three."""


class ForkServer:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._leashes: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._wake, wake = socket.socketpair()
        for each in (self._wake, wake):
            each.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._waker = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Until the loader is gone."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    data, sockets, _, _ = socket.recv_fds(self._control, FORK.size, 2)
                    if not data:
                        self._end()
                        return
                    self._fork(data, sockets)
                elif key.fileobj is self._wake:
                    self._wake.recv(4096)
                    self._reap()
                elif key.data in self._leashes:
                    os.kill(key.data, signal.SIGKILL)  # not reaped yet: the number is its own
                    self._selector.unregister(key.fileobj)

    def _fork(self, request: bytes, sockets: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            _become_child(sockets[0], request)
        os.close(sockets[0])
        leash = socket.socket(fileno=sockets[1])
        self._leashes[pid] = leash
        self._selector.register(leash, selectors.EVENT_READ, pid)
        with suppress(OSError):
            leash.sendall(PID.pack(pid))

    def _end(self) -> None:
        for pid in self._leashes:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _reap(self) -> None:
        while self._leashes:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            leash = self._leashes.pop(pid)
            with suppress(KeyError):
                self._selector.unregister(leash)
            with suppress(OSError):
                leash.sendall(STATUS.pack(status))
            leash.close()


def _become_child(descriptor: int, request: bytes) -> None:
    """Never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(descriptor, _OWN)
        os.closerange(_OWN + 1, os.sysconf("SC_OPEN_MAX"))
        channel = Channel(socket.socket(fileno=_OWN))
        limits.limit(*FORK.unpack(request))
        channel.confined(yes=seccomp.confine())
        patience = limits.Patience()
        while True:
            seekable = channel.wait()
            patience.begin()
            _decode(channel, RemoteFile(channel, seekable=seekable), patience)
    except Gone:
        code = 0
    finally:
        os._exit(code)


def _decode(channel: Channel, file: "RemoteFile", patience: limits.Patience) -> None:
    try:
        for event in read(file):
            channel.tell(event)
            if isinstance(event, Piece):
                patience.progress(event.samples.shape[1] / SAMPLE_RATE)
        channel.end()
    except MemoryError:
        channel.end(OUT_OF_MEMORY)
    except Gone:
        raise
    except Exception:  # noqa: BLE001 - told to the loader, which logs and raises it
        channel.end(FAULT, traceback.format_exc())


class RemoteFile:
    """The recording as the loader holds it; `Readable`, with a piece of it kept here."""

    def __init__(self, channel: Channel, *, seekable: bool) -> None:
        self._channel = channel
        self._seekable = seekable
        self._position = 0
        self._held = b""
        self._held_at = 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, fewer at the end or where no more are there yet."""
        size = size if size >= 0 else 1 << 30
        start = self._position - self._held_at
        if not 0 <= start < len(self._held):
            self._held = self._channel.ask(self._position, 1 << 18)
            self._held_at, start = self._position, 0
        data = self._held[start : start + size]
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        position = (self._channel.ask_size() if base is None else base) + offset
        if position < 0:
            raise OSError("negative position")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return self._seekable


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    for module in pkgutil.walk_packages(av.__path__, "av."):  # some are imported late, by C
        if module.name.rpartition(".")[2] not in _NO_PART_OF_DECODING:
            import_module(module.name)
    gc.collect()
    gc.freeze()  # children touch less of what they share
    ForkServer(control).run()


if __name__ == "__main__":
    main()
