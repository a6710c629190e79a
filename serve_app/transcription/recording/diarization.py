"""One recording's way to its speakers: stretches are analysed as they come, in the end all
together say who is who."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from interchange.errors import QueueFull
from interchange.samples import StretchCutter
from interchange.stages import (
    SAMPLE_RATE,
    AnalysisOptions,
    DiarizationOptions,
    Int16,
    SpeakerDiarizer,
    Speakers,
    Stretch,
)
from serve_app.transcription.events import FinishedStretch
from serve_app.transcription.recording.backlog import Backlog

T = TypeVar("T")

IN_FLIGHT = 4
"""Stretches of a recording that are asked for at once: so many diarizers work for one that is long,
and 6 MB of samples lie here and in the object store for each."""

_FORMAT = 2
"""To be raised when what a diarizer makes of the same samples, by the same model, is another."""


class RecordingDiarization:
    """Takes a recording's samples as they come. What nobody has time for waits in a file, but for
    the next stretch: a clip needs no disk.

    `finished` are stretches of an earlier try. `tell` is called with each other one that was
    analysed. Used inside a `with`.
    """

    def __init__(
        self,
        diarizer: SpeakerDiarizer,
        request_id: str,
        options: DiarizationOptions,
        *,
        voice_model: str,
        finished: Mapping[int, FinishedStretch],
        tell: Callable[[FinishedStretch], None],
    ) -> None:
        self._diarizer = diarizer
        self._request_id = request_id
        self._options = options
        self._voice_model = voice_model
        self._finished = finished
        self._tell = tell
        self._cutter = StretchCutter()
        self._samples = 0
        self._next: Stretch | None = None
        self._backlog: Backlog[Stretch] = Backlog()
        # One for each stretch that was cut, False when there will be no more.
        self._cut: asyncio.Queue[bool] = asyncio.Queue()
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._in_flight = 0
        self._analyses: dict[int, bytes] = {}

    def __enter__(self) -> Self:
        self._backlog.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._backlog.__exit__(kind, error, trace)

    def feed(self, samples: Int16) -> None:
        """The next samples of the recording. Raises Unavailable where the disk is full."""
        self._samples += len(samples)
        for stretch in self._cutter.feed(samples):
            self._put(stretch)

    def end(self) -> None:
        """All samples were fed."""
        for stretch in self._cutter.flush():
            self._put(stretch)
        self._cut.put_nowait(False)

    async def run(self) -> Speakers:
        """Ask for all stretches that were fed and will be, and then for the speakers.

        Raises what `SpeakerDiarizer` raises, but for QueueFull: a recording that has begun waits.
        """
        async with asyncio.TaskGroup() as group:
            while await self._cut.get():
                await self._room.acquire()
                self._in_flight += 1
                stretch = self._take()
                fingerprint = await asyncio.to_thread(self._fingerprint, stretch)
                asked = AnalysisOptions(self._request_id, self._options.priority, self._in_flight)
                group.create_task(self._analyse(stretch, fingerprint, asked))
        analyses = [self._analyses[number] for number in sorted(self._analyses)]
        seconds = self._samples / SAMPLE_RATE
        return await _when_there_is_room(
            lambda: self._diarizer.speakers(analyses, seconds, self._options)
        )

    def _put(self, stretch: Stretch) -> None:
        if self._next is None and not self._backlog:
            self._next = stretch
        else:
            self._backlog.put(stretch)
        self._cut.put_nowait(True)

    def _take(self) -> Stretch:
        """The oldest that waits."""
        if self._next is None:
            return self._backlog.get()
        stretch, self._next = self._next, None
        return stretch

    async def _analyse(self, stretch: Stretch, fingerprint: str, asked: AnalysisOptions) -> None:
        known = self._finished.get(stretch.number)
        if known is None or known.fingerprint != fingerprint:
            analysis = await _when_there_is_room(lambda: self._diarizer.analyse(stretch, asked))
            known = FinishedStretch(stretch.number, fingerprint, analysis)
            self._tell(known)
        self._analyses[stretch.number] = known.analysis
        self._in_flight -= 1
        self._room.release()

    def _fingerprint(self, stretch: Stretch) -> str:
        """Of all that an analysis depends on."""
        digest = hashlib.blake2b(f"{_FORMAT} {self._voice_model}\n".encode(), digest_size=16)
        digest.update(stretch.samples.tobytes())
        return digest.hexdigest()


async def _when_there_is_room(call: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await call()
        except QueueFull as full:
            await asyncio.sleep(full.retry_after)
