"""What the tests of recognition share: the bundled model, and ways to drive it by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deployments.audio.decode import Decoder as AudioDecoder
from deployments.recognition.attention.silence import Groups
from deployments.recognition.engine.cpu_batch import CpuBatch, Slot
from deployments.recognition.engine.cpu_lanes import CpuLanes
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.fair_queue import FairQueue, Ticket
from deployments.recognition.model.whisper import Projected, WhisperModel
from deployments.recognition.window.questions import Decode, Decoded, Piece
from deployments.recognition.window.vocabulary import Vocabulary
from interchange.stages import Float32
from interchange.transcript import WindowTranscript

ANSWER_S = 60.0
"""How long a test waits for what has to come: never so long where nothing is broken."""

ENGLISH = (50258, 50259, 50359)
"""<|startoftranscript|><|en|><|transcribe|> of the bundled model."""

NO_PIECE = Piece(0, 0)
"""What a decoding that is driven by hand says of its audio: nothing looks at it."""


@dataclass(frozen=True, slots=True)
class Whisper:
    """One checkpoint twice over the same weights: as `transformers` runs it, and as we do."""

    reference: Any
    extractor: Any
    tokenizer: Any
    ours: WhisperModel

    @property
    def vocabulary(self) -> Vocabulary:
        return self.ours.vocabulary

    def features(self, samples: Float32) -> Tensor:
        features: Tensor = self.extractor(
            samples, sampling_rate=16_000, return_tensors="pt"
        ).input_features
        return features

    def heard(self, window: Projected) -> Tensor:
        """The encoder output that our decoder reads of a window, (1, 1500, width)."""
        output = self.ours.encoder.silent(torch.device("cpu"))
        groups = Groups.of(output)
        silent = groups.means(output)[groups.numbers]
        return torch.cat([window.output, silent[len(window.output) :]])[None]


def audio(path: Path) -> Float32:
    """A recording as the loader decodes it."""
    with path.open("rb") as file:
        return np.concatenate(list(AudioDecoder(file, max_duration_s=3600)))


def noise(seconds: float, seed: int = 0, level: float = 0.05) -> Float32:
    drawn = np.random.default_rng(seed).normal(0, level, round(seconds * 16_000))
    return np.clip(drawn, -1, 1).astype(np.float32)


def decode(
    model: WhisperModel,
    encoded: Mapping[str, Projected],
    prompts: Mapping[str, Sequence[int]] | None = None,
    *,
    said: Mapping[str, tuple[int, ...]] | None = None,
    capacity: int = 8,
    temperature: float = 0.0,
) -> dict[str, Decoded]:
    """Decodings side by side in one batch; who waits takes a row as soon as one is free."""
    batch = CpuBatch(model, capacity)
    waiting, running = list(encoded), dict[Slot, str]()
    done: dict[str, Decoded] = {}
    with torch.inference_mode():
        while waiting or running:
            while waiting and batch.room:
                name, slot = waiting.pop(0), batch.take()
                prompt = tuple((prompts or {}).get(name, ENGLISH))
                batch.load(slot, encoded[name])
                start = prompt.index(model.vocabulary.sot)
                begun = (said or {}).get(name, ())
                batch.ask([(slot, Decode(NO_PIECE, prompt, start, temperature, said=begun))])
                running[slot] = name
            for slot, answer in batch.step():
                assert isinstance(answer, Decoded)
                done[running.pop(slot)] = answer
                batch.leave(slot)
    return done


def cpu_engine(
    model: WhisperModel,
    queue: FairQueue,
    *,
    slots: int,
    silent_suffix: bool = True,
    threads: int = 1,
) -> WhisperEngine[Slot]:
    """As it is built on a CPU with so many threads."""
    integers = model.policy.dtype == torch.int16
    lanes = CpuLanes(model, silent_suffix=silent_suffix, threads=threads, integers=integers)
    batch = CpuBatch(model, slots, apart=lanes.concurrent)
    return WhisperEngine(model.text, batch, lanes, queue)


def same_speech(ours: WindowTranscript, theirs: WindowTranscript, dtype: torch.dtype) -> None:
    """That two transcripts of a window differ in nothing that a reader sees.

    Encoded by another number of threads, sums come in another order: in float32 that shows in the
    seventh digit of logarithms of probabilities, in bfloat16, of eight binary digits, in the third.
    """
    close = 1e-5 if dtype == torch.float32 else 2e-2
    for one, other in zip(ours.segments, theirs.segments, strict=True):
        assert one.avg_logprob == pytest.approx(other.avg_logprob, abs=close)
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=close)
        alike: dict[str, Any] = {
            "avg_logprob": other.avg_logprob,
            "no_speech_prob": other.no_speech_prob,
            "words": other.words,
        }
        assert replace(one, **alike) == other
        assert [(word.text, word.start, word.end) for word in one.words] == [
            (word.text, word.start, word.end) for word in other.words
        ]


def done(ticket: Ticket) -> WindowTranscript:
    """What became of a window."""
    return ticket.future.result(ANSWER_S)
