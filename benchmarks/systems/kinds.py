"""Everything that is compared, each behind the same three calls.

An instance lives in a process of its own (`worker`), so that its memory can be told and
nothing of one system slows another down. What only one system needs is imported where it is
built.
"""

import asyncio
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from configs.settings import AudioSettings, RecognitionSettings, Settings, usable_cores
from interchange.samples import as_int16
from interchange.stages import (
    BlobSource,
    Float32,
    LoadOptions,
    RecognitionOptions,
    Window,
)
from serve_app.transcription.transcriber import Transcriber, TranscriptionRequest

LANGUAGE = "en"
"""All systems are told it, so that none pays for finding it out."""

WHISPER = "bundled:whisper-base"


class System(Protocol):
    """What is measured."""

    def prepare(self, paths: list[Path]) -> None:
        """Do what does not count."""

    def run(self, paths: list[Path], clients: int) -> list[str]:
        """The texts of recordings that `clients` callers ask for, each one after another."""
        ...


def waveform(path: Path) -> Float32:
    """A whole recording: (samples,) at 16 kHz, mono."""
    from deployments.audio.decode import Decoder  # noqa: PLC0415

    with path.open("rb") as file:
        return np.concatenate(list(Decoder(file, max_duration_s=24 * 3600)))


def cut(samples: Float32, settings: AudioSettings) -> list[Window]:
    """The windows of a whole recording."""
    from deployments.audio.segmentation import Segmenter  # noqa: PLC0415
    from deployments.audio.voice_activity import SileroNetwork  # noqa: PLC0415

    segmenter = Segmenter(SileroNetwork(settings.vad_threads), settings)
    return [*segmenter.feed(samples), *segmenter.flush()]


class EngineAlone:
    """Rayscribe's engine and nothing around it: windows are cut beforehand."""

    def __init__(self, model: str = WHISPER, **recognition: Any) -> None:
        from deployments.recognition.build import build_engine  # noqa: PLC0415

        self._settings = Settings(recognition=RecognitionSettings(model=model, **recognition))
        self._engine = build_engine(self._settings.recognition)
        self._engine.start()
        self._windows: dict[Path, list[Window]] = {}

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            if path not in self._windows:
                self._windows[path] = cut(waveform(path), self._settings.audio)

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return _by_clients(self._one, paths, clients)

    def _one(self, path: Path) -> str:
        options = RecognitionOptions(str(path), language=LANGUAGE)
        tickets = [self._engine.queue.put(window, options) for window in self._windows[path]]
        results = [ticket.future.result() for ticket in tickets]
        return "".join(segment.text for result in results for segment in result.segments)


class InProcess:
    """Rayscribe's stages in one process: what the graph adds is Ray and HTTP."""

    def __init__(self, model: str = WHISPER, windows_in_flight: int = 16, **recognition: Any):
        from deployments.audio.loader import Loader  # noqa: PLC0415
        from deployments.recognition.build import build_engine  # noqa: PLC0415

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

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            link = Path(self._folder.name) / path.name
            if not link.exists():
                link.symlink_to(path.resolve())

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return asyncio.run(self._all(paths, clients))

    async def _all(self, paths: list[Path], clients: int) -> list[str]:
        room = asyncio.Semaphore(clients)

        async def one(number: int, path: Path) -> str:
            async with room:
                source = BlobSource(path.name, path.name)
                request = TranscriptionRequest(str(number), source, language=LANGUAGE)
                return (await self._transcriber.run(request)).text

        return list(await asyncio.gather(*(one(*each) for each in enumerate(paths))))


class _NoDiarizer:
    def begin(self, options: object) -> Any:
        raise ValueError("Speakers are not asked for here.")


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
        from configs.settings import DiarizationSettings  # noqa: PLC0415
        from deployments.diarization.pipeline import Diarizer  # noqa: PLC0415

        self._diarizer = Diarizer(DiarizationSettings(**diarization))
        self._diarizer.warm_up()
        self._waveforms: dict[Path, Any] = {}

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            self._waveforms[path] = as_int16(waveform(path))

    def run(self, paths: list[Path], clients: int) -> list[str]:
        import threading  # noqa: PLC0415

        from interchange.stages import DiarizationOptions  # noqa: PLC0415

        texts = []
        for path in paths:
            turns = self._diarizer.turns(
                self._waveforms[path], DiarizationOptions(), threading.Event()
            )
            texts.append("\n".join(f"{t.start:.3f} {t.end:.3f} {t.speaker}" for t in turns))
        return texts


class FasterWhisper:
    """faster-whisper with the weights that Rayscribe bundles, greedy, with voice activity.

    `batch` windows are decoded at once, 0 for its sequential way. `workers` models share the
    cores between them, each with as many threads as are left for it.
    """

    def __init__(self, compute: str, batch: int = 0, workers: int = 1, model: str | None = None):
        from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415

        from benchmarks.systems.peer_weights import whisper_base  # noqa: PLC0415

        self._model = WhisperModel(
            model or str(whisper_base()),
            device="cpu" if model is None else "auto",
            compute_type=compute,
            cpu_threads=max(1, usable_cores() // workers),
            num_workers=workers,
        )
        self._batched = BatchedInferencePipeline(self._model) if batch else None
        self._batch = batch

    def prepare(self, paths: list[Path]) -> None:
        """It reads the files itself."""

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return _by_clients(self._one, paths, clients)

    def _one(self, path: Path) -> str:
        options: dict[str, Any] = {"language": LANGUAGE, "beam_size": 1, "vad_filter": True}
        if self._batched is not None:
            segments, _ = self._batched.transcribe(str(path), batch_size=self._batch, **options)
        else:
            segments, _ = self._model.transcribe(str(path), **options)
        return "".join(segment.text for segment in segments)


class TransformersPipeline:
    """The way of insanely-fast-whisper-api: transformers' pipeline with chunks of 30 s."""

    def __init__(self, batch: int = 4) -> None:
        import torch  # noqa: PLC0415
        from transformers import pipeline  # noqa: PLC0415

        from deployments.models.resolve import resolve  # noqa: PLC0415

        torch.set_num_threads(usable_cores())
        self._pipeline = pipeline(
            "automatic-speech-recognition",
            model=str(resolve(WHISPER, None, None)),
            chunk_length_s=30,
            batch_size=batch,
            device="cpu",
        )

    def prepare(self, paths: list[Path]) -> None:
        """It is handed the samples, which are decoded within its time like the others'."""

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return _by_clients(self._one, paths, clients)

    def _one(self, path: Path) -> str:
        answer = self._pipeline(
            {"raw": waveform(path), "sampling_rate": 16_000},
            return_timestamps=True,
            generate_kwargs={"language": LANGUAGE, "task": "transcribe", "num_beams": 1},
        )
        return str(answer["text"])


def _by_clients(one: Callable[[Path], str], paths: list[Path], clients: int) -> list[str]:
    if clients == 1:
        return [one(path) for path in paths]
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, paths))


KINDS: dict[str, Callable[..., System]] = {
    "engine": EngineAlone,
    "in-process": InProcess,
    "loader": LoaderAlone,
    "diarizer": DiarizerAlone,
    "faster-whisper": FasterWhisper,
    "transformers": TransformersPipeline,
}
