"""Tokens of the real model: as `generate` gives them, alone and among others, captured and not."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

import torch

from benchmarks.gpu_check.subject import Spoken, Subject
from benchmarks.measuring.text_errors import word_error_rate
from deployments.graphs import Graphs
from deployments.recognition.build import engine_of, operations
from deployments.recognition.captured.batch import CapturedBatch
from deployments.recognition.captured.lanes import CapturedLanes
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.fair_queue import FairQueue
from deployments.recognition.model.whisper import WhisperModel
from deployments.recognition.window.questions import Decode, Piece, WindowDecoding
from deployments.recognition.window.vocabulary import Text
from interchange.samples import as_float32
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import WindowTranscript

Tokens = list[tuple[int, ...]]


def tokens(subject: Subject) -> dict[str, Any]:
    """The share of windows that get the same tokens in two ways."""
    model, some = subject.base(), list(subject.spoken("en/"))[:64]
    slots = 4 if subject.small else 32
    theirs = _generated(subject, some)
    padded, padded_alone = (_decoded(model, some, n, silent_suffix=False) for n in (slots, 1))
    trimmed, trimmed_alone, again = (_decoded(model, some, n) for n in (slots, 1, slots))
    eager = _decoded(model, some, slots, graphs=False)
    pairs = {
        "padded = generate": (padded, theirs),
        "padded alone = generate": (padded_alone, theirs),
        "padded among others = alone": (padded, padded_alone),
        "trimmed among others = alone": (trimmed, trimmed_alone),
        "trimmed twice": (trimmed, again),
        "captured = eager": (trimmed, eager),
    }
    same = {name: sum(map(tuple.__eq__, a, b)) for name, (a, b) in pairs.items()}
    return {"windows": len(some), "same tokens": same}


def _generated(subject: Subject, some: Sequence[Spoken]) -> Tokens:
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration  # noqa: PLC0415

    folder, dtype = subject.base_folder, subject.policy.between
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=dtype)
    model = model.to(subject.device).eval()
    extractor = WhisperFeatureExtractor.from_pretrained(folder)
    eot = model.generation_config.eos_token_id
    found: Tokens = []
    for each in some:
        features = extractor(
            as_float32(each.window.samples), sampling_rate=16_000, return_tensors="pt"
        ).input_features
        with torch.inference_mode():
            output = model.generate(
                input_features=features.to(subject.device, dtype),
                language="en",
                task="transcribe",
                return_timestamps=True,
                temperature=0.0,
                num_beams=1,
                force_unique_generate_call=True,
                return_dict_in_generate=True,
            )
        said = output.sequences[0].tolist()[3:]
        found.append(tuple(said[: said.index(eot)] if eot in said else said))
    return found


def _decoded(
    model: WhisperModel,
    some: Sequence[Spoken],
    slots: int,
    *,
    silent_suffix: bool = True,
    graphs: bool | None = None,
) -> Tokens:
    """One decoding of each window, all of which wait."""
    found: dict[int, tuple[int, ...]] = {}
    prompt = model.vocabulary.start_of_transcript("en", "transcribe")

    def dialogue(window: Window, options: RecognitionOptions, text: Text) -> WindowDecoding:
        got: Any = yield Decode(Piece(0, len(window.samples)), prompt, 0)
        found[id(window)] = got.tokens
        return WindowTranscript(window.index, 0, 1, (), "en")

    engine = _engine(model, slots, silent_suffix=silent_suffix, graphs=graphs)
    with mock.patch("deployments.recognition.engine.whisper.decode_window", dialogue):
        _run(engine, [each.window for each in some], RecognitionOptions("it"))
    return [found[id(each.window)] for each in some]


def words(subject: Subject) -> dict[str, Any]:
    """Word errors with all that a window is asked: words timed, second decodings; in percent."""
    model = subject.base()
    found: dict[str, Any] = {}
    for name, silent_suffix in (("trimmed", True), ("padded", False)):
        for prefix in ("en/", "long/"):
            some = subject.spoken(prefix)
            if not some:
                continue
            engine = _engine(model, 4 if subject.small else 32, silent_suffix=silent_suffix)
            options = RecognitionOptions("it", language="en", word_timestamps=True)
            transcripts = _run(engine, [each.window for each in some], options)
            said: dict[str, str] = {}
            for each, transcript in zip(some, transcripts, strict=True):
                text = "".join(segment.text for segment in transcript.segments)
                said[each.file] = said.get(each.file, "") + text
            references = {file: subject.texts[file] for file in said}
            found[f"{name} {prefix}"] = _errors(references, said)
    return found


def _errors(references: dict[str, str], said: dict[str, str]) -> float:
    pairs = [(text, said[file]) for file, text in references.items()]
    return 100 * word_error_rate(pairs)


def _engine(
    model: WhisperModel, slots: int, *, silent_suffix: bool = True, graphs: bool | None = None
) -> "WhisperEngine[Any]":
    do = operations(model.policy)
    if graphs is None:
        engine = engine_of(model, FairQueue(1e9), do, slots=slots, silent_suffix=silent_suffix)
        assert isinstance(engine, WhisperEngine)
        return engine
    with torch.inference_mode():
        batch = CapturedBatch(model, slots, do, Graphs(enabled=graphs))
        lanes = CapturedLanes(model, silent_suffix=silent_suffix, graphs=graphs)
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return WhisperEngine(model.text, batch, lanes, FairQueue(1e9))


def _run(
    engine: "WhisperEngine[Any]", windows: Sequence[Window], options: RecognitionOptions
) -> list[WindowTranscript]:
    tickets = [engine.queue.put(window, options) for window in windows]
    while not all(ticket.future.done() for ticket in tickets):
        engine.turn()
    return [ticket.future.result() for ticket in tickets]
