"""Rayscribe by its parts: the engine, the loader or the diarizer alone, and all in one process.

What only one of them needs is imported where it is built.
"""

import asyncio
import tempfile
import threading
from pathlib import Path
from typing import Any

from benchmarks.measuring.recordings import cut, waveform
from benchmarks.systems.diarizers import lines
from benchmarks.systems.system import LANGUAGE, WHISPER, by_clients
from configs.settings import DiarizationSettings, RecognitionSettings, Settings
from interchange.samples import as_int16
from interchange.stages import (
    BlobSource,
    DiarizationOptions,
    LoadOptions,
    RecognitionOptions,
    Window,
)
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import Transcriber


class EngineAlone:
    """Rayscribe's engine and nothing around it: windows are cut beforehand."""

    def __init__(self, model: str = WHISPER, **recognition: Any) -> None:
        from deployments.recognition.engines import build_engine  # noqa: PLC0415

        self._settings = Settings(recognition=RecognitionSettings(model=model, **recognition))
        self._engine = build_engine(self._settings.recognition)
        self._engine.start()
        self._windows: dict[Path, list[Window]] = {}

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            if path not in self._windows:
                self._windows[path] = cut(waveform(path), self._settings.audio)

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return by_clients(self._one, paths, clients)

    def _one(self, path: Path) -> str:
        options = RecognitionOptions(str(path), language=LANGUAGE)
        tickets = [self._engine.queue.put(window, options) for window in self._windows[path]]
        results = [ticket.future.result() for ticket in tickets]
        return "".join(segment.text for result in results for segment in result.segments)


class InProcess:
    """Rayscribe's stages in one process: what the graph adds is Ray and HTTP."""

    def __init__(
        self,
        model: str = WHISPER,
        windows_in_flight: int = 16,
        language: str | None = LANGUAGE,
        **recognition: Any,
    ):
        from deployments.audio.loader import Loader  # noqa: PLC0415
        from deployments.recognition.engines import build_engine  # noqa: PLC0415

        self._language = language
        self._folder = tempfile.TemporaryDirectory(prefix="rayscribe-bench-")
        settings = Settings(
            recognition=RecognitionSettings(model=model, **recognition),
            storage=f"file://{self._folder.name}",
        )
        engine = build_engine(settings.recognition)
        engine.start()
        self._transcriber = Transcriber(
            Loader(settings), engine.queue, _NoDiarizer(), windows_in_flight=windows_in_flight
        )
        self._loop = asyncio.Runner()  # one for all runs: the loader's places belong to it

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            link = Path(self._folder.name) / path.name
            if not link.exists():
                link.symlink_to(path.resolve())

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return self._loop.run(self._all(paths, clients))

    async def _all(self, paths: list[Path], clients: int) -> list[str]:
        room = asyncio.Semaphore(clients)

        async def one(number: int, path: Path) -> str:
            async with room:
                source = BlobSource(path.name, path.name)
                request = TranscriptionRequest(str(number), source, language=self._language)
                return (await self._transcriber.run(request)).text

        return list(await asyncio.gather(*(one(*each) for each in enumerate(paths))))


class _NoDiarizer:
    async def analyse(self, stretch: object, options: object) -> Any:
        raise ValueError("Speakers are not asked for here.")

    async def speakers(self, analyses: object, seconds: object, options: object) -> Any:
        raise ValueError("Speakers are not asked for here.")

    async def voice(self, samples: object) -> Any:
        raise ValueError("Nobody's voice is asked for here.")


class LoaderAlone:
    """Decoding, voice activity and windows, with nobody to take them."""

    def __init__(self, window_s: float = 30.0) -> None:
        from deployments.audio.loader import Loader  # noqa: PLC0415

        self._folder = tempfile.TemporaryDirectory(prefix="rayscribe-bench-")
        settings = Settings.from_args(
            {"storage": f"file://{self._folder.name}", "audio": {"window_s": window_s}}
        )
        self._loader = Loader(settings)

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            (Path(self._folder.name) / path.name).symlink_to(path.resolve())

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return [asyncio.run(self._one(path)) for path in paths]

    async def _one(self, path: Path) -> str:
        source = BlobSource(path.name, path.name)
        windows = [
            event
            async for event in self._loader.load(source, LoadOptions())
            if isinstance(event, Window)
        ]
        return f"{len(windows)} windows"


class DiarizerAlone:
    """Rayscribe's diarization and nothing around it. Its texts are the turns, one a line."""

    def __init__(self, **diarization: Any) -> None:
        from deployments.diarization.pipeline import Diarizer  # noqa: PLC0415

        self._diarizer = Diarizer(DiarizationSettings(**diarization))
        self._diarizer.warm_up()
        self._waveforms: dict[Path, Any] = {}

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            self._waveforms[path] = as_int16(waveform(path))

    def run(self, paths: list[Path], clients: int) -> list[str]:
        texts = []
        for path in paths:
            turns = self._diarizer.turns(
                self._waveforms[path], DiarizationOptions(), threading.Event()
            )
            texts.append(lines(turns))
        return texts
