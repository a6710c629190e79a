"""An engine whose windows run to as many tokens as speech has, whatever the weights say."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.gpu_check.measuring import busy_share, synchronize
from deployments.recognition.build import engine_of, operations
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.fair_queue import FairQueue
from deployments.recognition.model.whisper import WhisperModel
from deployments.recognition.window.questions import (
    Align,
    Decode,
    DetectLanguage,
    Piece,
    WindowDecoding,
)
from deployments.recognition.window.vocabulary import Text
from interchange.stages import SAMPLE_RATE, RecognitionOptions, Window
from interchange.transcript import WindowTranscript

SECONDS = 24.0
"""How much of a window of 30 s is speech that was cut at pauses, on average."""
TOKENS = (65, 118)
"""What such windows run to: 91 on average."""


def noise(seconds: float, seed: int = 0) -> "np.ndarray[Any, Any]":
    drawn = np.random.default_rng(seed).normal(0, 3000, int(seconds * SAMPLE_RATE))
    return drawn.astype(np.int16)


def recording(
    model: WhisperModel,
    windows: int,
    slots: int,
    *,
    usual: bool,
    profiled: bool = False,
    warm: bool = True,
) -> dict[str, Any]:
    """Recognize so many windows of one recording, all of which wait. `usual`: as usually asked,
    with the language to be detected and words to be timed."""
    device = model.device
    with _scripted(model, usual=usual):
        engine = engine_of(model, FairQueue(1e9), operations(model.policy), slots=slots)
        assert isinstance(engine, WhisperEngine)
        lengths = np.random.default_rng(1).integers(*TOKENS, size=windows)
        _end_by_length(engine, lengths)
        begun = time.monotonic()
        if warm:
            engine.warm_up()
        synchronize(device)
        warm_s = time.monotonic() - begun
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        audio = noise(SECONDS)
        some = [
            engine.queue.put(Window(i, 0, audio, ((0, len(audio)),)), RecognitionOptions("it"))
            for i in range(windows)
        ]
        turns, begun = 0, time.monotonic()
        found: dict[str, Any] = {}
        while not all(ticket.future.done() for ticket in some[-slots:]) or not all(
            ticket.future.done() for ticket in some
        ):
            if profiled and turns == 60:
                found["busy"] = busy_share(lambda: [engine.turn() for _ in range(50)], device)
            engine.turn()
            turns += 1
        synchronize(device)
        took = time.monotonic() - begun
    failed = [t.future.result().failed for t in some if t.future.result().failed]
    found |= {
        "windows": windows,
        "slots": slots,
        "warm_up_s": warm_s,
        "seconds": took,
        "times_real_time": windows * SECONDS / took,
        "turns": turns,
        "failed": failed[:1],
        "capacity": engine.capacity,
    }
    if device.type == "cuda":
        found["peak_allocated_gb"] = torch.cuda.max_memory_allocated() / 1e9
        found["peak_reserved_gb"] = torch.cuda.max_memory_reserved() / 1e9
    return found


@contextmanager
def _scripted(model: WhisperModel, *, usual: bool) -> Iterator[None]:
    """Windows ask for what they usually do, and weights never end a text."""
    vocabulary = model.vocabulary
    prompt = vocabulary.start_of_transcript("en", "transcribe")

    def dialogue(window: Window, options: RecognitionOptions, text: Text) -> WindowDecoding:
        piece = Piece(0, len(window.samples))
        if usual:
            yield DetectLanguage(piece, ())
        got: Any = yield Decode(piece, prompt, 0, 0.0, window.index)
        if usual:
            spoken = tuple(t for t in got.tokens if t < vocabulary.eot)[:100] or (300,)
            yield Align(piece, (*prompt, vocabulary.no_timestamps), spoken)
        return WindowTranscript(window.index, 0, 1, (), "en")

    never = model.rules.never
    before = never.clone()
    with torch.inference_mode():
        never[vocabulary.eot] = True
    try:
        with mock.patch("deployments.recognition.engine.whisper.decode_window", dialogue):
            yield
    finally:
        with torch.inference_mode():
            never.copy_(before)


def _end_by_length(engine: "WhisperEngine[Any]", lengths: "np.ndarray[Any, Any]") -> None:
    def exhausted(slot: Any, request: Decode) -> bool:
        return len(slot.tokens) >= int(lengths[request.seed % len(lengths)])

    engine.batch._exhausted = exhausted  # type: ignore[attr-defined]
