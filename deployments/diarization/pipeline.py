"""From a recording, a stretch at a time, to its speakers. Knows no Ray."""

import os
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# Threads of OpenMP that wait in a loop would take the cores that words are recognized on; but where
# they sleep at once, waking them takes two fifths of the time. So GNU's wait for some microseconds,
# and others' not at all. Read when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from torch import Tensor

from configs.settings import DiarizationSettings
from deployments.compiled.products import integers_are_faster, multiplies_integers
from deployments.models.resolve import resolve
from deployments.processor import multiplies_bfloat16
from interchange.errors import DiarizationFailed, InvalidOption, Unavailable
from interchange.samples import StretchCutter
from interchange.stages import (
    SAMPLE_RATE,
    DiarizationOptions,
    Int16,
    Speakers,
    Stretch,
    Voice,
    VoiceSample,
)
from interchange.transcript import Turn

with warnings.catch_warnings():
    # torchcodec reads files for pyannote; here waveforms come decoded.
    warnings.filterwarnings("ignore", r"\s*torchcodec is not installed", UserWarning)
    from deployments.diarization import bundled, published
    from deployments.diarization.analysis import Analysis
    from deployments.diarization.diarization import Diarization, Found, Progress
    from deployments.diarization.networks.workers import Workers
    from deployments.diarization.speakers.clustering import Bounds
    from deployments.diarization.speakers.voices import named

_BUNDLED = "bundled:diarization"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int16": torch.int16}

STUCK_S = 600.0
"""After so long without a finished batch the work counts as stuck. Clustering, the one step
without batches, takes well under a minute: what is compared with each other is bounded
(`similarity.MAX_CLUSTERED`, `pyannote_clustering.MAX_CLUSTERED`)."""


class Cancelled(Exception):
    """The caller no longer wants the speakers."""


class Diarizer:
    """The loaded pipeline. The models take one stretch at a time: `analyse` must not be called from
    two threads at once, nor `cluster`; these two and `voice` may be called beside each other."""

    def __init__(self, settings: DiarizationSettings, token: str | None = None) -> None:
        """Raises MissingToken where the model is gated and `token` cannot open it, ValueError for a
        type that the model is not run in there."""
        device = settings.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            torch.set_num_threads(settings.cpu_threads)
        else:
            # Speakers are near each other in few digits, of which TensorFloat has three.
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        workers = Workers(settings.cpu_threads if device == "cpu" else 1)
        self._pipeline = _load(settings, token, torch.device(device), workers)
        self._voices = settings.voice_model
        self._moved_at: dict[str, float] = {}

    def warm_up(self) -> None:
        """Do once what the first recording would otherwise wait for."""
        noise = np.random.default_rng(0).normal(0, 100, SAMPLE_RATE).astype(np.int16)
        self._pipeline.warm_up(_tensor(noise))
        self.speakers(noise, DiarizationOptions())

    def check(self) -> None:
        """Raises Unavailable where work has not moved for too long."""
        now = time.monotonic()
        if any(now - moved_at > STUCK_S for moved_at in list(self._moved_at.values())):
            raise Unavailable(f"Diarization has not moved for {STUCK_S:.0f} s.")

    def turns(
        self,
        waveform: Int16,
        options: DiarizationOptions,
        cancelled: threading.Event | None = None,
        on_progress: Progress | None = None,
    ) -> tuple[Turn, ...]:
        """The turns of `speakers`."""
        return self.speakers(waveform, options, cancelled, on_progress).turns

    def speakers(
        self,
        waveform: Int16,
        options: DiarizationOptions,
        cancelled: threading.Event | None = None,
        on_progress: Progress | None = None,
    ) -> Speakers:
        """`analyse` and `cluster` of a whole recording, mono at 16 kHz."""
        cutter = StretchCutter()
        analyses = [
            self.analyse(stretch, cancelled, on_progress)
            for stretches in (cutter.feed(waveform), cutter.flush())
            for stretch in stretches
        ]
        seconds = len(waveform) / SAMPLE_RATE
        return self.cluster(analyses, seconds, options, cancelled, on_progress)

    def analyse(
        self,
        stretch: Stretch,
        cancelled: threading.Event | None = None,
        on_progress: Progress | None = None,
    ) -> bytes:
        """See `interchange.stages.SpeakerDiarizer`; `on_progress` is told of each batch.

        Raises Cancelled within a batch once `cancelled` is set, DiarizationFailed.
        """
        what = f"{len(stretch.samples) / SAMPLE_RATE:.1f} s of a recording could not be listened to"
        with self._working("models", what, cancelled, on_progress) as progress:
            found = self._pipeline.analyse(_tensor(stretch.samples), stretch.number, progress)
        return found.pack()

    def cluster(
        self,
        analyses: Sequence[bytes],
        seconds: float,
        options: DiarizationOptions,
        cancelled: threading.Event | None = None,
        on_progress: Progress | None = None,
    ) -> Speakers:
        """Who talks when in a recording of so many seconds, and the voice of each, by what
        `analyse` made of all its stretches, in order.

        Raises Cancelled between two steps once `cancelled` is set, InvalidOption for bounds that
        contradict each other and for voices that another model heard, DiarizationFailed.
        """
        _check(options)
        self._check_voices(options.known)
        if not analyses:
            return Speakers()
        what = f"The speakers of a recording of {seconds:.1f} s could not be told apart"
        with self._working("clustering", what, cancelled, on_progress) as progress:
            analysis = Analysis.joined([Analysis.unpack(each) for each in analyses])
            found = self._pipeline.speakers(analysis, Bounds.of(options), progress)
        names = named(found.voices, options.known, self._pipeline.voices.same)
        turns = _turns(found, names, seconds)
        return Speakers(
            turns, {name: tuple(found.voices[number].tolist()) for number, name in names.items()}
        )

    @contextmanager
    def _working(
        self,
        part: str,
        what: str,
        cancelled: threading.Event | None,
        on_progress: Progress | None,
    ) -> Iterator[Progress]:
        """Gives what each step of a part of the work has to be told to. Its faults become
        DiarizationFailed: `what` and why."""

        def progress(stage: str, done: int, total: int) -> None:
            self._moved_at[part] = time.monotonic()
            if cancelled is not None and cancelled.is_set():
                raise Cancelled
            if on_progress is not None:
                on_progress(stage, done, total)

        try:
            progress("start", 0, 1)
            yield progress
        except (RuntimeError, ValueError, MemoryError, FloatingPointError) as error:
            raise DiarizationFailed(f"{what}: {error}") from error
        finally:
            self._moved_at.pop(part, None)

    def voice(self, waveform: Int16) -> VoiceSample:
        """The voice of a recording of one person, mono at 16 kHz. Raises DiarizationFailed."""
        try:
            heard = self._pipeline.hear(_tensor(waveform))
        except (RuntimeError, ValueError, MemoryError, FloatingPointError) as error:
            raise DiarizationFailed(
                f"The voice of a recording of {len(waveform) / SAMPLE_RATE:.1f} s could not be "
                f"learned: {error}"
            ) from error
        return VoiceSample(
            embedding=tuple(heard.voice.tolist()),
            seconds=heard.seconds,
            several=heard.alike < self._pipeline.voices.several,
            model=self._voices,
        )

    def _check_voices(self, known: tuple[Voice, ...]) -> None:
        """Raises InvalidOption for a voice that another model heard."""
        for voice in known:
            if voice.model != self._voices:
                raise InvalidOption(
                    f"The voice of {voice.name!r} was learned by the model {voice.model}, and now "
                    f"{self._voices} tells speakers apart; give its recordings again.",
                    "known_speakers",
                )


def _tensor(samples: Int16) -> Tensor:
    """The same memory."""
    with warnings.catch_warnings():
        # torch warns of read-only memory, which nothing here writes to.
        warnings.simplefilter("ignore")
        return torch.from_numpy(samples)


def _check(options: DiarizationOptions) -> None:
    least, most = options.min_speakers, options.max_speakers
    for name in ("num_speakers", "min_speakers", "max_speakers"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InvalidOption(f"{name} is {value}: it must be at least 1.", name)
    if least is not None and most is not None and least > most:
        raise InvalidOption(
            f"min_speakers ({least}) is more than max_speakers ({most}).", "min_speakers"
        )


def _turns(found: Found, names: dict[int, str], duration: float) -> tuple[Turn, ...]:
    """Turns within the recording, by start, with strangers numbered as they appear; `names` are
    those who are known, and have the strangers' numbers added."""
    known = len(names)
    turns = []
    for each in sorted(found.spoken, key=lambda each: (each.start, each.end)):
        start, end = max(0.0, each.start), min(duration, each.end)
        # Chunks are padded to their length: a turn may begin behind a recording's end.
        if start < end:
            label = f"SPEAKER_{len(names) - known:02d}"
            turns.append(Turn(start, end, names.setdefault(each.speaker, label)))
    return tuple(turns)


def chosen_dtype(settings: DiarizationSettings, device: torch.device) -> torch.dtype:
    """What the bundled networks multiply in, where that is left open; int16 stands for products of
    16-bit integers. Raises ValueError for what they are not run in."""
    asked = settings.dtype
    possible = device.type == "cpu" and settings.model == _BUNDLED
    if asked in {"bfloat16", "int16"} and not possible:
        raise ValueError(
            f"`diarization.dtype` is {asked}, which is for {_BUNDLED} on a CPU, and the model "
            f"would be {settings.model} on {device.type}; use auto."
        )
    if asked == "int16" and not multiplies_integers():
        raise ValueError(
            "`diarization.dtype` is int16, which is for CPUs with AVX2, and this one has none; use "
            "auto."
        )
    if asked != "auto":
        return _DTYPES[asked]
    if possible and multiplies_bfloat16():
        return torch.bfloat16
    return torch.int16 if possible and integers_are_faster() else torch.float32


def _load(
    settings: DiarizationSettings, token: str | None, device: torch.device, workers: Workers
) -> Diarization:
    dtype = chosen_dtype(settings, device)
    folder = resolve(settings.model, settings.revision, token)
    if settings.model == _BUNDLED:
        return bundled.load(folder, device, dtype, settings.batch_size, workers=workers)
    return published.load(folder, device, settings.batch_size, token, workers)
