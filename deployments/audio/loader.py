"""One recording's way from its source to windows, fetching and decoding at the same time."""

import asyncio
import math
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import numpy as np

from configs.settings import Settings
from deployments.audio.decode import Decoder
from deployments.audio.fetch import fetch
from deployments.audio.loudness import PeakMeter
from deployments.audio.segmentation import PcmBlocks, Segmenter
from deployments.audio.spool import LoadCancelled, Spool
from deployments.audio.voice_activity import shared_network
from deployments.scheduling import cores, stand_back
from interchange.blobs import BlobStore
from interchange.errors import RayscribeError, UndecodableRecording
from interchange.network import AddressGuard
from interchange.stages import (
    SAMPLE_RATE,
    BlobSource,
    Float32,
    Loaded,
    LoadEvent,
    LoadOptions,
    Source,
    UrlSource,
)

_SMALL_BYTES = 4 * 2**20
"""A download announced to be smaller is decoded once it is complete. It may then be read in
any order, which some formats need and which alone trims an MP3 exactly."""

_FIRST = 120 * SAMPLE_RATE
"""Samples after which a load stands back: a recognizer has some windows then, and on the
same machine better use for the processor. Not where a diarizer waits for the whole waveform."""

_EARLY = 60 * SAMPLE_RATE
"""Samples whose speech is found as they come, before more is done at a time."""

Events = Generator[LoadEvent, None, None]


class Loader:
    """Loads recordings, several at a time, each in a thread of its own.

    What decodes is one thread; the speech of what it decoded is found on as many cores as there
    are. With `stands_back` a load leaves the processor to others after its first minutes. That is
    for a process that does nothing else: a thread that waits for a core may hold Python's lock.
    """

    def __init__(self, settings: Settings, *, stands_back: bool = False) -> None:
        self._settings = settings
        self._stands_back = stands_back
        self._network = shared_network()
        threads = settings.audio.vad_threads or math.ceil(cores())
        self._pool = ThreadPoolExecutor(threads, "speech")
        self._patient_pool = ThreadPoolExecutor(threads, "patient-speech", stand_back)
        self._blobs = BlobStore(settings.storage)
        self._guard = AddressGuard(settings.allowed_networks)

    async def load(self, source: Source, options: LoadOptions) -> AsyncGenerator[LoadEvent, None]:
        """See `interchange.stages.AudioLoader`.

        Nothing is decoded ahead of the caller by more than one event. Closing the iterator,
        or cancelling its task, ends download and decoding and leaves nothing on disk.
        """
        stop = threading.Event()
        spool: Spool | None = None
        download: asyncio.Task[None] | None = None
        if isinstance(source, UrlSource):
            spool = Spool()
            download = asyncio.create_task(self._download(source.url, spool))
            events = self._from_spool(spool, options, stop)
        else:
            events = self._from_blobs(source, options, stop)
        step: Future[LoadEvent | None] | None = None
        # Its own: it may stand back for good, and wait for a slow server as long as that takes.
        thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        try:
            while True:
                step = thread.submit(next, events, None)
                event = await asyncio.wrap_future(step)
                if event is None:
                    return
                yield event
        except LoadCancelled:
            if download is not None:
                await download  # an error that is none of ours to foresee is raised here
            raise
        finally:
            stop.set()
            if spool is not None:
                spool.fail(LoadCancelled())
            if download is not None:
                download.cancel()
                await asyncio.gather(download, return_exceptions=True)
            if step is not None and not step.done():
                await asyncio.gather(asyncio.wrap_future(step), return_exceptions=True)
            events.close()
            thread.shutdown(wait=False)
            if spool is not None:
                spool.close()

    def check(self) -> None:
        """Do a little of the work. Raises whatever keeps the loader from doing it all."""
        segmenter = Segmenter(self._network, self._settings.audio)
        list(segmenter.feed(np.zeros(SAMPLE_RATE, np.float32)))
        list(segmenter.flush())
        with closing(Spool()) as spool:
            spool.write(b"?")

    async def _download(self, url: str, spool: Spool) -> None:
        try:
            await fetch(url, spool, self._settings.fetch, self._guard)
        except RayscribeError as error:
            spool.fail(error)
        finally:
            if not spool.complete:
                spool.fail(LoadCancelled())  # unless it failed already: the first reason counts

    def _from_blobs(
        self, source: BlobSource, options: LoadOptions, stop: threading.Event
    ) -> Events:
        with self._blobs.open(source) as file:
            decoder = Decoder(file, max_duration_s=self._settings.audio.max_duration_s)
            yield from self._events(decoder, decoder.notes, options, stop, lambda: True)

    def _from_spool(self, spool: Spool, options: LoadOptions, stop: threading.Event) -> Events:
        notes: list[str] = []
        try:
            blocks = self._decode(spool, notes)
            yield from self._events(blocks, notes, options, stop, lambda: spool.complete)
        except UndecodableRecording as error:
            spool.check()
            if spool.media_type.startswith("text/"):
                raise type(error)(
                    f"{error.message} The server calls it {spool.media_type}: "
                    "the URL may lead to a page about the recording."
                ) from error
            raise

    def _decode(self, spool: Spool, notes: list[str]) -> Iterator[Float32]:
        """The blocks of a recording that may still be on its way.

        While it is, it is read from front to back. A file that cannot be decoded so, such as
        an MP4 whose index is at its end, is decoded again when it is complete, past the
        blocks that were handed out.
        """
        limit = self._settings.audio.max_duration_s
        spool.read_at(0, 1)  # with the first byte the announced size is known
        count = 0
        if spool.expected is None or spool.expected > _SMALL_BYTES:
            decoder = Decoder(spool.reader(seekable=False), max_duration_s=limit)
            held: Float32 | None = None  # the last block may end where the trouble began
            try:
                for block in decoder:
                    if held is not None:
                        yield held
                        count += 1
                    held = block
            except UndecodableRecording:
                spool.check()
            else:
                spool.check()
                if held is not None and not decoder.broken_off:
                    yield held
                    notes += decoder.notes
                    return
        spool.wait()
        decoder = Decoder(spool.reader(seekable=True), max_duration_s=limit)
        yield from islice(decoder, count, None)
        notes += decoder.notes

    def _events(
        self,
        blocks: Iterable[Float32],
        notes: list[str],
        options: LoadOptions,
        stop: threading.Event,
        complete: Callable[[], bool],
    ) -> Events:
        """`notes` is read at the end, when the decoder has filled it.

        Until the recording is `complete` the next block may be long in coming, and somebody
        waits for the first windows: all that can be said of a block is said at once then.
        """
        segmenter = Segmenter(self._network, self._settings.audio, options, self._pool)
        waveform = PcmBlocks() if options.pcm else None
        will_stand_back = self._stands_back and waveform is None
        meter = PeakMeter()
        for block in blocks:
            if stop.is_set():
                raise LoadCancelled
            meter.feed(block)
            if waveform is not None:
                yield from waveform.feed(block)
            elif will_stand_back and segmenter.samples > _FIRST:
                will_stand_back = False
                stand_back()
                segmenter.use(self._patient_pool)
            early = segmenter.samples < _EARLY
            yield from segmenter.feed(block, at_once=early or not complete())
        if waveform is not None:
            yield from waveform.flush()
        yield from segmenter.flush()
        duration, speech = segmenter.samples / SAMPLE_RATE, segmenter.speech / SAMPLE_RATE
        yield Loaded(duration, speech, tuple(notes), meter.waveform())
