"""What a decoding child and its loader say to each other over a socket.

The child asks for bytes of the file and sends what it made of them; the loader answers. Nothing
that comes from a child is trusted: it is numbers, samples and JSON, each of a bounded size.
"""

import json
import socket
import struct
from dataclasses import asdict, dataclass, fields
from typing import cast

import numpy as np

from deployments.audio.media.reading import Account, Piece
from deployments.audio.media.tracks import Report
from interchange.errors import NoAudioStream, UndecodableRecording
from interchange.stages import Float32

READ, END, PIECE, ACCOUNT, DONE, OUT_OF_MEMORY, FAULT = (bytes([n]) for n in b"repadmf")

_HEADER = struct.Struct("<cQII")
_SIZE = struct.Struct("<q")
_FLAG = struct.Struct("<?")
_MOST_SAMPLES = 2**24
_MOST_JSON = 2**16
_AT_ONCE = 2**18
"""Bytes of the file that go over at a time."""

_FAILURES = {error.__name__: error for error in (UndecodableRecording, NoAudioStream)}


class Gone(Exception):
    """The other side is no longer there, or says what it must not."""


class Silent(Exception):
    """The other side has said nothing for as long as the socket waits."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`size` bytes from `position`; the size of the file where both are None."""

    position: int | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The child is done with the recording, unless memory ran out or something else went wrong:
    `fault` says what then."""

    out_of_memory: bool = False
    fault: str = ""


class Channel:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    # ------------------------------------------------------------------ the child's side

    def confined(self, *, yes: bool) -> None:
        self._send(_FLAG.pack(yes))

    def wait(self) -> bool:
        """For a recording; whether it is seekable."""
        return bool(self._take(_FLAG.size)[0])

    def ask(self, position: int, size: int) -> bytes:
        self._send(_HEADER.pack(READ, position, min(size, _AT_ONCE), 0))
        return bytes(self._take(self._number()))

    def ask_size(self) -> int:
        self._send(_HEADER.pack(END, 0, 0, 0))
        return self._number()

    def tell(self, event: Piece | Account) -> None:
        if isinstance(event, Piece):
            samples = np.ascontiguousarray(event.samples, np.float32)
            self._send(_HEADER.pack(PIECE, event.kind, *samples.shape))
            self._send(samples.data.cast("B"))
        else:
            failure = event.failure and (type(event.failure).__name__, event.failure.message)
            content = (asdict(event.report), event.missing_s, event.cut_off, failure)
            self._say(ACCOUNT, json.dumps(content))

    def end(self, kind: bytes = DONE, text: str = "") -> None:
        self._say(kind, text)

    def _say(self, kind: bytes, text: str) -> None:
        data = text.encode("utf-8", "replace")[-_MOST_JSON:]
        self._send(_HEADER.pack(kind, 0, len(data), 0) + data)

    # ----------------------------------------------------------------- the loader's side

    def is_confined(self) -> bool:
        return bool(self._take(_FLAG.size)[0])

    def begin(self, *, seekable: bool) -> None:
        self._send(_FLAG.pack(seekable))

    def answer(self, data: bytes) -> None:
        self._send(_SIZE.pack(len(data)) + data)

    def answer_size(self, size: int) -> None:
        self._send(_SIZE.pack(size))

    def next(self) -> Asked | Piece | Account | Ended:
        """Raises Gone, and Silent where the socket has a limit."""
        kind, number, size, second = _HEADER.unpack(self._take(_HEADER.size))
        if kind == READ:
            return Asked(number, min(size, _AT_ONCE))
        if kind == END:
            return Asked(None, None)
        if kind == PIECE:
            return Piece(number, self._samples(size, second))
        if size > _MOST_JSON:
            raise Gone
        text = self._take(size).decode("utf-8", "replace")
        if kind == ACCOUNT:
            return _account(text)
        if kind not in (DONE, OUT_OF_MEMORY, FAULT):
            raise Gone
        return Ended(kind == OUT_OF_MEMORY, text)

    def _samples(self, channels: int, count: int) -> Float32:
        if not 0 < channels * count <= _MOST_SAMPLES:
            raise Gone
        samples = np.empty((channels, count), np.float32)
        self._fill(samples.data.cast("B"))
        return samples

    # ------------------------------------------------------------------------------ both

    def _number(self) -> int:
        return cast("int", _SIZE.unpack(self._take(_SIZE.size))[0])

    def _take(self, size: int) -> bytearray:
        taken = bytearray(size)
        self._fill(memoryview(taken))
        return taken

    def _fill(self, view: memoryview) -> None:
        while view:
            try:
                count = self._socket.recv_into(view)
            except TimeoutError as error:
                raise Silent from error
            except ConnectionError as error:
                raise Gone from error
            if not count:
                raise Gone
            view = view[count:]

    def _send(self, data: bytes | memoryview) -> None:
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise Silent from error
        except ConnectionError as error:
            raise Gone from error


def _account(text: str) -> Account:
    try:
        told, missing_s, cut_off, failure = json.loads(text)
        report = Report(**{each.name: told[each.name] for each in fields(Report)})
        report.samples = int(report.samples)
        report.gaps = [float(gap) for gap in report.gaps]
        error = failure and _FAILURES[failure[0]](str(failure[1])[:1000])
        return Account(report, float(missing_s), bool(cut_off), error)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise Gone from error
