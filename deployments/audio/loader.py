"""One recording's way from its source to windows, fetching and decoding at the same time."""

import asyncio
import io
import math
import struct
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, suppress
from itertools import islice
from typing import BinaryIO, Protocol

import numpy as np

from configs.settings import Settings
from deployments.audio.channels.division import mixer
from deployments.audio.child.children import shared_children
from deployments.audio.child.decoding import Decoding
from deployments.audio.decode import Mixer
from deployments.audio.fetching.fetch import fetch
from deployments.audio.fetching.places import SMALL_BYTES, Places
from deployments.audio.fetching.spool import LoadCancelled, Spool
from deployments.audio.lines import Lines
from deployments.audio.loudness import PeakMeter
from deployments.audio.segmentation import PcmBlocks, Segmenter
from deployments.audio.speech.voice_activity import shared_network
from deployments.scheduling import cores, stand_back
from interchange.errors import HarmfulRecording, RayscribeError, Unavailable, UndecodableRecording
from interchange.files.blobs import BlobStore
from interchange.files.room import Room
from interchange.network import AddressGuard
from interchange.stages import (
    SAMPLE_RATE,
    Apart,
    BlobSource,
    ChannelUse,
    Float32,
    Loaded,
    LoadEvent,
    LoadOptions,
    Source,
    UrlSource,
)

_FIRST = 120 * SAMPLE_RATE
"""Samples after which a load stands back: a recognizer has some windows then, and on the
same machine better use for the processor. Not where a diarizer waits for the waveform as well."""

_EARLY = 60 * SAMPLE_RATE
"""Samples whose speech is found as they come, before more is done at a time."""

_A_SECOND = struct.pack(
    "<4sI8sIHHIIHH4sI",
    *(b"RIFF", 2 * SAMPLE_RATE + 36, b"WAVEfmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16),
    *(b"data", 2 * SAMPLE_RATE),
) + bytes(2 * SAMPLE_RATE)
"""Of silence, as a WAV file."""

Events = Generator[LoadEvent, None, None]


class Files(Protocol):
    def open(self, source: BlobSource) -> BinaryIO:
        """The recording as a seekable file."""
        ...


class Loader:
    """Loads recordings, several at a time, each in a thread of its own.

    A child process decodes; the speech of what it decoded is found on as many cores as there are.
    With `stands_back` a load leaves the processor to others after its first minutes. That is
    for a process that does nothing else: a thread that waits for a core may hold Python's lock.
    """

    def __init__(
        self, settings: Settings, *, stands_back: bool = False, files: Files | None = None
    ) -> None:
        """`files` opens what a BlobSource names: without it, the blobs of the storage."""
        self._settings = settings
        self._stands_back = stands_back
        self._network = shared_network()
        threads = settings.audio.vad_threads or math.ceil(cores())
        self._pool = ThreadPoolExecutor(threads, "speech")
        self._patient_pool = ThreadPoolExecutor(threads, "patient-speech", stand_back)
        self._files = files or BlobStore(settings.storage)
        self._guard = AddressGuard(settings.allowed_networks, settings.refused_networks)
        self._places = Places(settings.audio.decoders)
        self._room = Room(settings.fetch.max_disk_bytes)
        self._children = shared_children(settings.audio.max_duration_s)

    async def load(self, source: Source, options: LoadOptions) -> AsyncGenerator[LoadEvent, None]:
        """See `interchange.stages.AudioLoader`.

        Nothing is decoded ahead of the caller by more than one event. Closing the iterator,
        or cancelling its task, ends download and decoding and leaves nothing on disk.
        """
        decoding = Decoding(self._children, self._settings.audio.max_duration_s)
        spool: Spool | None = None
        download: asyncio.Task[None] | None = None
        try:
            if isinstance(source, UrlSource):
                spool = Spool(self._room)
                download = asyncio.create_task(self._download(source.url, spool))
                events = self._from_spool(spool, options, decoding)
            else:
                events = self._from_blobs(source, options, decoding)
            async with (
                self._places.of(spool),
                aclosing(_threaded(events, decoding, spool)) as steps,
            ):
                async for event in steps:
                    yield event
        except LoadCancelled:
            if download is not None:
                await download  # an error that is none of ours to foresee is raised here
            raise
        finally:
            if download is not None:
                download.cancel()
                await asyncio.gather(download, return_exceptions=True)
            if spool is not None:
                spool.close()

    def check(self) -> None:
        """Do a little of the work. Raises whatever keeps the loader from doing it all."""
        list(Decoding(self._children, 1.0).decoder(io.BytesIO(_A_SECOND)))
        segmenter = Segmenter(self._network, self._settings.audio)
        list(segmenter.feed(np.zeros(SAMPLE_RATE, np.float32)))
        list(segmenter.flush())
        with suppress(Unavailable), closing(Spool()) as spool:
            spool.write(b"?")  # a full disk is no fault that another replica would not have

    async def _download(self, url: str, spool: Spool) -> None:
        try:
            await fetch(url, spool, self._settings.fetch, self._guard)
        except RayscribeError as error:
            spool.fail(error)
        finally:
            if not spool.complete:
                spool.fail(LoadCancelled())  # unless it failed already: the first reason counts

    def _from_blobs(self, source: BlobSource, options: LoadOptions, decoding: Decoding) -> Events:
        with self._files.open(source) as file:
            decoder = decoding.decoder(file, mixer(options.channels))
            yield from self._events(decoder, decoder.notes, options, decoding, lambda: True)

    def _from_spool(self, spool: Spool, options: LoadOptions, decoding: Decoding) -> Events:
        notes: list[str] = []
        try:
            blocks = self._decode(spool, notes, decoding, mixer(options.channels))
            yield from self._events(blocks, notes, options, decoding, lambda: spool.complete)
        except UndecodableRecording as error:
            spool.check()
            if spool.media_type.startswith("text/"):
                raise type(error)(
                    f"{error.message} The server calls it {spool.media_type}: "
                    "the URL may lead to a page about the recording."
                ) from error
            raise

    def _decode(
        self, spool: Spool, notes: list[str], decoding: Decoding, mixer: Callable[[int], Mixer]
    ) -> Iterator[Float32]:
        """The blocks of a recording that may still be on its way.

        While it is, it is read from front to back. A file that cannot be decoded so, such as
        an MP4 whose index is at its end, is decoded again when it is complete, past the
        blocks that were handed out.
        """
        spool.read_at(0, 1)  # with the first byte the announced size is known
        count = 0
        if spool.expected is None or spool.expected > SMALL_BYTES:
            decoder = decoding.decoder(spool.reader(seekable=False), mixer)
            held: Float32 | None = None  # the last block may end where the trouble began
            try:
                for block in decoder:
                    if held is not None:
                        yield held
                        count += 1
                    held = block
            except HarmfulRecording:
                raise
            except UndecodableRecording:
                spool.check()
            else:
                spool.check()
                if held is not None and not decoder.broken_off:
                    yield held
                    notes += decoder.notes
                    return
        spool.wait()
        decoder = decoding.decoder(spool.reader(seekable=True), mixer)
        yield from islice(decoder, count, None)
        notes += decoder.notes

    def _events(
        self,
        blocks: Iterable[Float32],
        notes: list[str],
        options: LoadOptions,
        decoding: Decoding,
        complete: Callable[[], bool],
    ) -> Events:
        """`notes` is read at the end, when the decoder has filled it.

        Until the recording is `complete` the next block may be long in coming, and somebody
        waits for the first windows: all that can be said of a block is said at once then.
        """
        lines = Lines(self._network, self._settings.audio, options, self._pool)
        waveform = PcmBlocks() if options.pcm else None
        will_stand_back = self._stands_back and waveform is None
        meter = PeakMeter()
        for block in blocks:
            if decoding.stopped:
                raise LoadCancelled
            mix = block if block.ndim == 1 else block[0]
            meter.feed(mix)
            if waveform is not None:
                yield from waveform.feed(mix)
            elif will_stand_back and lines.samples > _FIRST:
                will_stand_back = False
                stand_back()
                decoding.stand_back()
                lines.use(self._patient_pool)
            early = lines.samples < _EARLY
            yield from lines.feed(block, at_once=early or not complete())
        if waveform is not None:
            yield from waveform.flush()
        yield from lines.flush()
        duration, speech = lines.samples / SAMPLE_RATE, lines.speech / SAMPLE_RATE
        said = (*notes, *_on_channels(lines.apart, duration, options.channels))
        yield Loaded(duration, speech, said, meter.waveform(), lines.apart)


async def _threaded(
    events: Events, decoding: Decoding, spool: Spool | None
) -> AsyncGenerator[LoadEvent, None]:
    """`events`, each made in a thread while the one before is taken. Closing ends what is under
    way."""
    # Its own: it may stand back for good, and wait for a slow server as long as that takes.
    thread = ThreadPoolExecutor(1, thread_name_prefix="load")
    step = thread.submit(next, events, None)
    try:
        while (event := await asyncio.wrap_future(step)) is not None:
            step = thread.submit(next, events, None)
            yield event
    finally:
        decoding.stop()
        if spool is not None:
            spool.fail(LoadCancelled())
        if not step.done():
            await asyncio.gather(asyncio.wrap_future(step), return_exceptions=True)
        events.close()
        thread.shutdown(wait=False)


def _on_channels(apart: tuple[Apart, ...], duration: float, use: ChannelUse) -> Iterator[str]:
    """What is said of how channels were taken."""
    if not apart:
        if use == "separate":
            yield (
                "No two channels hold different speech: the recording was recognized as if it had "
                "one."
            )
        return
    several = f"The {max(each.channels for each in apart)} channels hold different speech"
    seconds = sum(each.end - each.start for each in apart)
    if seconds < duration:
        yield (
            f"{several} for {seconds:.1f} s, from {apart[0].start:.1f} s on, and were recognized "
            "separately there; elsewhere they were mixed."
        )
    else:
        yield f"{several} and were recognized separately."
