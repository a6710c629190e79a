"""The real HTTP app and the real jobs over stages without models: a service for the page.

What a recording says follows from its name: `long` has 30,000 words in three hours, `broken`
cannot be decoded, `slow` waits behind its second window until it is cancelled, any other is a
minute of two speakers. As a program it serves until it is stopped:
`python -m tests.page.service [PORT] [KEY]`.
"""

import asyncio
import math
import random
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_network
from pathlib import Path

import numpy as np
from fastapi import FastAPI

from configs.secrets import Secrets
from configs.settings import JobSettings, LiveSettings, Settings
from deployments.audio.fetching.relay import Relay
from interchange.errors import UndecodableRecording
from interchange.files.blobs import BlobStore
from interchange.stages import (
    SAMPLE_RATE,
    BlobSource,
    DiarizationOptions,
    Loaded,
    LoadEvent,
    LoadOptions,
    PcmBlock,
    RecognitionOptions,
    Source,
    Speakers,
    Window,
)
from interchange.transcript import Segment, Turn, Waveform, WindowTranscript, Word
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.configured import configured_database
from serve_app.jobs.worker import JobWorker
from serve_app.live.service import LiveService
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.live import DETECTION, LoudIsSpeech
from tests.fakes.services import MODEL, services
from tests.fakes.stages import FakeDiarizer
from tests.support.running.http_server import running

WINDOW_S = 30.0
WORDS_OF_WINDOW = 84
LONG_WINDOWS = 360
_TURN_S = 17.5

_SENTENCES = (
    "The ferry leaves the harbour at seven in the morning.",
    "I have never seen the river as high as it was in that spring.",
    "Did anybody write down what the engineer said about the bridge?",
    "No, but she sent a letter to the council a week later, and it is in the archive.",
    "Well, then we should read it before we talk to the newspaper.",
)


def _name(source: Source) -> str:
    return source.name if isinstance(source, BlobSource) else source.url.rpartition("/")[2]


class NamedLoader:
    """Windows of nothing, as many as the recording's name says."""

    async def load(self, source: Source, options: LoadOptions) -> AsyncGenerator[LoadEvent, None]:
        name = _name(source)
        if "broken" in name:
            raise UndecodableRecording(f"{name!r} is no recording that can be decoded.")
        count = LONG_WINDOWS if "long" in name else 4 if "slow" in name else 2
        for index in range(count):
            length = round(WINDOW_S * SAMPLE_RATE)
            samples = np.zeros(length, np.int16)
            if options.pcm:
                yield PcmBlock(samples)
            # The first number of a window says what is to become of it.
            samples = samples.copy()
            samples[0] = "slow" in name
            yield Window(index, index * length, samples, ((0, length),))
            await asyncio.sleep(0)
        notes = ("The file ends early.",) if "short" in name else ()
        seconds = count * WINDOW_S
        loudness = 40 + 180 * np.abs(np.sin(np.arange(0, seconds, 1) * 1.7))
        yield Loaded(seconds, seconds, notes, Waveform(1.0, tuple(map(int, loudness))))


class SpeakingRecognizer:
    """The same sentences over and over, each word with a probability that its place gives."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._place = asyncio.Semaphore(1)

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        # One after the other, as if there were one place in the batch.
        async with self._place:
            await asyncio.sleep(self._window_s)
        if window.samples[0] and window.index > 1:
            await asyncio.Event().wait()
        segments = tuple(_segments(window))
        return WindowTranscript(
            window.index, window.start, window.end, segments, "en", decoded_again=window.index % 2
        )


class ClockRecognizer:
    """A word each half second of a live session, whatever is said."""

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        numbers = range(math.ceil(window.start * 2), math.floor(window.end * 2))
        words = tuple(Word(f" word{n}", n / 2, n / 2 + 0.4, 0.9) for n in numbers)
        text = "".join(word.text for word in words)
        said = Segment(window.start, window.end, text, "en", words=words)
        return WindowTranscript(window.index, window.start, window.end, (said,) * bool(words), "en")


def _segments(window: Window) -> Iterator[Segment]:
    chance = random.Random(window.index)
    step = WINDOW_S / WORDS_OF_WINDOW
    at, left, number = window.start, WORDS_OF_WINDOW, window.index
    while left > 0:
        texts = _SENTENCES[number % len(_SENTENCES)].split()[:left]
        words = []
        for text in texts:
            sure = 0.98 if chance.random() < 0.9 else chance.random()
            words.append(Word(f" {text}", at, at + step * 0.9, sure))
            at += step
        left -= len(texts)
        number += 1
        text = "".join(word.text for word in words)
        yield Segment(words[0].start, words[-1].end, text, "en", words=tuple(words))


class TurnTaker(FakeDiarizer):
    """Two speakers who take turns for as long as there is sound."""

    async def speakers(
        self, analyses: Sequence[bytes], seconds: float, options: DiarizationOptions
    ) -> Speakers:
        starts = np.arange(0, seconds, _TURN_S)
        return Speakers(
            tuple(
                Turn(float(start), min(seconds, float(start) + _TURN_S), f"SPEAKER_0{index % 2}")
                for index, start in enumerate(starts)
            )
        )


def create(
    folder: Path, *, window_s: float = 0.1, key: str | None = None, keys_file: Path | None = None
) -> FastAPI:
    """The app over a store in `folder`; `window_s` is how long a window takes."""
    jobs = JobSettings(database_url=f"sqlite:///{folder}/jobs.sqlite", poll_s=0.05)
    settings = Settings(storage=f"file://{folder}/blobs", jobs=jobs)
    secrets = Secrets(admin_key=None, database_url=None)
    transcriber = Transcriber(NamedLoader(), SpeakingRecognizer(window_s), TurnTaker())
    worker = JobWorker(settings, secrets, transcriber, lambda job, transcript: "")
    blobs = BlobStore(settings.storage)
    frontend = JobFrontend(
        jobs, configured_database(jobs, secrets), blobs, transcriber, notify=worker.wake
    )
    config = HttpConfig(model=MODEL, admin_key=key, keys_file=keys_file)
    remote = Relay(Settings(allowed_networks=(ip_network("127.0.0.0/8"),)))
    live = LiveService(LiveSettings(), ClockRecognizer(), TurnTaker(), LoudIsSpeech, DETECTION)
    app = create_app(
        services(frontend, transcriber, uploads=blobs, config=config, remote=remote, live=live)
    )
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def with_worker(app: FastAPI) -> AsyncGenerator[None, None]:
        await worker.open()
        working = asyncio.create_task(worker.run())
        async with serving(app):
            yield
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    app.router.lifespan_context = with_worker
    return app


@contextmanager
def page_service(
    folder: Path, *, window_s: float = 0.1, key: str | None = None, keys_file: Path | None = None
) -> Iterator[str]:
    """The address of such a service on loopback, for as long as the block lasts."""
    app = create(folder, window_s=window_s, key=key, keys_file=keys_file)
    with running(app) as address:
        yield address


def main() -> None:
    import uvicorn

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    key = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", port)) as on:
        print(f"http://127.0.0.1:{on.getsockname()[1]}", flush=True)
        app = create(Path(folder), window_s=0.3, key=key)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[on])


if __name__ == "__main__":
    main()
