"""Who Rayscribe is compared with. What only one of them needs is imported where it is built."""

from pathlib import Path
from typing import Any

from benchmarks.measuring.recordings import waveform
from benchmarks.systems.system import LANGUAGE, WHISPER, by_clients
from configs.settings import usable_cores


class FasterWhisper:
    """faster-whisper with the weights that Rayscribe bundles, greedy, with voice activity.

    `batch` windows are decoded at once, 0 for its sequential way. `workers` models share the
    cores between them, each with as many threads as are left for it.
    """

    def __init__(
        self,
        compute: str,
        batch: int = 0,
        workers: int = 1,
        model: str | None = None,
        language: str | None = LANGUAGE,
    ):
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
        self._language = language

    def prepare(self, paths: list[Path]) -> None:
        """It reads the files itself."""

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return by_clients(self._one, paths, clients)

    def _one(self, path: Path) -> str:
        options: dict[str, Any] = {"language": self._language, "beam_size": 1, "vad_filter": True}
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
        return by_clients(self._one, paths, clients)

    def _one(self, path: Path) -> str:
        answer = self._pipeline(
            {"raw": waveform(path), "sampling_rate": 16_000},
            return_timestamps=True,
            generate_kwargs={"language": LANGUAGE, "task": "transcribe", "num_beams": 1},
        )
        return str(answer["text"])
