"""What a window costs by its length, encoded to the end of its speech or padded to 30 s.

`python -m benchmarks.window_length` runs the model alone on one thread, as it encodes beside
decoding: the encoder with one window, and the decoder's step with eight.
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import linear_regression
from typing import Annotated, Any

import torch
import typer

from benchmarks.measuring import results
from benchmarks.measuring.figures import median
from benchmarks.measuring.recordings import NoSpeech, long_recording, waveform
from benchmarks.measuring.tables import table
from benchmarks.systems.system import WHISPER
from configs.settings import RecognitionSettings
from deployments.models.resolve import resolve
from deployments.recognition.device import DevicePolicy
from deployments.recognition.engine.cpu_batch import CpuBatch
from deployments.recognition.model.encoder import all_layers
from deployments.recognition.model.whisper import Projected, WhisperModel
from deployments.recognition.window.questions import Decode, Piece
from interchange.stages import SAMPLE_RATE, Float32

LENGTHS = (2, 5, 10, 15, 20, 25, 29)
WAYS = ("padded", "trimmed")
ROWS = 8
STEPS = 10

Milliseconds = dict[tuple[int, str], float]
"""By length and way."""


def main(
    model: Annotated[str, typer.Option(help="A Whisper model.")] = WHISPER,
    dtype: Annotated[str, typer.Option(help="Of the engine: auto, float32, bfloat16.")] = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Each has every length both ways.")] = 7,
) -> None:
    """Print milliseconds of the encoder and of a decoding step for windows of several lengths."""
    try:
        speech = waveform(long_recording().path)
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    settings = RecognitionSettings.model_validate({"model": model, "dtype": dtype})
    torch.set_num_threads(1)
    with torch.inference_mode():
        whisper = WhisperModel.load(
            resolve(settings.model, None, None), DevicePolicy.choose(settings)
        )
        encoding, stepping = _measure(whisper, speech, rounds)
    headings = [
        "speech, s",
        *(f"{what}, {way}, ms" for what in ("encoder", "step") for way in WAYS),
    ]
    rows = [
        [seconds, *(times[seconds, way] for times in (encoding, stepping) for way in WAYS)]
        for seconds in LENGTHS
    ]
    print(table(headings, rows))
    slope, _ = linear_regression(LENGTHS, [encoding[seconds, "trimmed"] for seconds in LENGTHS])
    print(f"Each second that is encoded costs {slope:.1f} ms of a core.")
    found: dict[str, Any] = {
        "model": model,
        "dtype": dtype,
        "rounds": rounds,
        "rows": [dict(zip(headings, row, strict=True)) for row in rows],
    }
    typer.echo(f"Written to {results.write('window-length', found)}")


def _measure(
    model: WhisperModel, speech: Float32, rounds: int
) -> tuple[Milliseconds, Milliseconds]:
    """Medians over the rounds: of an encoding, and of a step."""
    encoded = {
        (seconds, way): _encode(model, speech[: seconds * SAMPLE_RATE], way)
        for seconds in LENGTHS
        for way in WAYS
    }
    batches = {key: _running(model, window) for key, window in encoded.items()}
    encodings: dict[tuple[int, str], list[float]] = {key: [] for key in encoded}
    steps: dict[tuple[int, str], list[float]] = {key: [] for key in encoded}
    for _ in range(rounds):
        for seconds, way in encoded:
            samples = speech[: seconds * SAMPLE_RATE]
            encodings[seconds, way].append(_timed(partial(_encode, model, samples, way)))
            batch = batches[seconds, way]
            steps[seconds, way] += [_timed(batch.step) for _ in range(STEPS)]
    return (
        {key: median(times) for key, times in encodings.items()},
        {key: median(times) for key, times in steps.items()},
    )


def _encode(model: WhisperModel, samples: Float32, way: str) -> Projected:
    if way == "padded":
        return all_layers(model.encode_padded([samples]))[0]
    positions = model.positions(len(samples) / SAMPLE_RATE)
    return all_layers(model.encode_trimmed([(samples, positions)]))[0]


def _running(model: WhisperModel, window: Projected) -> CpuBatch:
    """A full batch of rows that each decode the window."""
    batch = CpuBatch(model, ROWS)
    prompt = model.vocabulary.start_of_transcript("en", "transcribe")
    slots = [batch.take() for _ in range(ROWS)]
    for slot in slots:
        batch.load(slot, window)
    batch.start({slot: Decode(Piece(0, 0), prompt, 0) for slot in slots})
    return batch


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds that some work takes."""
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)


if __name__ == "__main__":
    typer.run(main)
