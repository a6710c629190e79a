"""A recording decoded by a child, as if it were decoded here."""

import logging
import os
import threading
from collections.abc import Callable

from deployments.audio.channels.downmix import Downmix
from deployments.audio.child.children import TAKES_TOO_LONG, Child, Children
from deployments.audio.child.messages import Asked, Channel, Ended, Gone, Silent
from deployments.audio.decode import Decoder, Mixer
from deployments.audio.media.part import Readable
from deployments.audio.media.reading import Account, Reading
from deployments.scheduling import stand_back
from interchange.errors import HarmfulRecording, ServerError, UndecodableRecording

log = logging.getLogger("ray.serve")

TAKES_TOO_MUCH = (
    "The file takes more memory to decode than any recording needs: it is damaged, or made to do "
    "so. Convert it to WAV, FLAC or MP3, and send that."
)


class Decoding:
    """One recording, in one pass after another, each by a child; `stop` ends it for good, from
    any thread."""

    def __init__(self, children: Children, longest_s: float) -> None:
        self._children = children
        self._longest_s = longest_s
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._well = True
        self.stopped = False

    def decoder(self, file: Readable, mixer: Callable[[int], Mixer] = Downmix) -> Decoder:
        return Decoder(file, max_duration_s=self._longest_s, read=self.read, mixer=mixer)

    def stop(self) -> None:
        with self._lock:
            self.stopped = True
            if self._child is not None:
                self._child.cancel()

    def stand_back(self) -> None:
        """Take what others leave of the processor."""
        with self._lock:
            if self._child is not None:
                self._well = False  # it could not come forward again
                stand_back(self._child.pid)

    def read(self, file: Readable) -> Reading:
        """As `media.reading.read`, with the file's bytes handed over as the child asks for them.

        Raises HarmfulRecording where the file ends the child, Unavailable where something
        else does, and what reading the file raises.
        """
        child = self._children.take()
        with self._lock:
            self._child, self._well = child, True
            if self.stopped:
                child.cancel()
        done = False
        try:
            child.channel.begin(seekable=file.seekable())
            while not done:
                message = child.channel.next()
                if isinstance(message, Asked):
                    _answer(child.channel, file, message)
                elif isinstance(message, Ended):
                    _raise_fault(message)
                    done = True
                else:
                    if isinstance(message, Account):
                        self._well &= message.failure is None
                    yield message
        except Silent:
            raise HarmfulRecording(TAKES_TOO_LONG) from None
        except Gone:
            raise child.death() from None
        finally:
            with self._lock:
                self._child = None
            if done and self._well:
                self._children.take_back(child)
            else:
                child.close()


def _answer(channel: Channel, file: Readable, asked: Asked) -> None:
    if asked.position is None or asked.size is None:
        channel.answer_size(file.seek(0, os.SEEK_END))
        return
    if file.seekable():
        file.seek(asked.position)
    channel.answer(file.read(asked.size))


def _raise_fault(ended: Ended) -> None:
    if ended.out_of_memory:
        raise UndecodableRecording(TAKES_TOO_MUCH)
    if ended.fault:
        log.error("A fault in decoding a recording:\n%s", ended.fault)
        raise ServerError(f"A fault in decoding: {ended.fault.strip().rpartition(chr(10))[2]}")
