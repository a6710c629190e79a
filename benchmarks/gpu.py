"""The published figure, on your GPU: `make bench-gpu`, or `python -m benchmarks.gpu --help`.

insanely-fast-whisper-api gives 98 s for 150 minutes of audio with large-v3 on an A100 of
80 GB, and 196 s with speakers. This sends as much through a running graph on one GPU.

`--model sleeping:0,0.001` stands for an engine of 1,000 × real time, and needs no GPU: the time
beyond its own is what loading, the graph, HTTP and JSON cost.
"""

import math
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import roofline
from benchmarks.measuring import results
from benchmarks.measuring.figures import median
from benchmarks.measuring.memory import PeakMemory
from benchmarks.measuring.processor import per, processor_seconds
from benchmarks.measuring.recordings import NoSpeech, Spoken, long_recording, repeated, seconds
from benchmarks.measuring.tables import Cell, percent, table
from benchmarks.measuring.text_errors import word_error_rate
from benchmarks.systems.contenders import RunningGraph, graph
from benchmarks.systems.graph_client import PROFILE as CPU_PROFILE
from configs.secrets import Secrets
from deployments.models.resolve import resolve
from deployments.recognition.engine.sleeping import PREFIX

PROFILE = "configs/gpu.yaml"
MINUTES = 150.0
PUBLISHED_S = {"words": 98.0, "with speakers": 196.0}

_WINDOW_S = 24.0
"""How much of a window of 30 s is speech that was cut at pauses, on average."""


def main(
    *,
    file: Annotated[
        Path | None, typer.Option(help="A recording to repeat, instead of the long one.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="How long the repeated recording is.")] = MINUTES,
    model: Annotated[str, typer.Option(help="A Whisper model.")] = "openai/whisper-large-v3",
    diarization: Annotated[
        str, typer.Option(help="A diarization model; gated ones need HF_TOKEN.")
    ] = "bundled:diarization",
    slots: Annotated[int, typer.Option(help="Windows decoded at once.")] = 32,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Measure one GPU against the published figures, and against its own limit."""
    sleeping = model.startswith(PREFIX)
    name = _gpu()
    if name is None and not sleeping:
        typer.echo(
            "There is no GPU here that torch can use, so there is nothing to measure: run this "
            "on a machine with an NVIDIA GPU, its driver, and a torch for CUDA. What a GPU "
            "should reach is in docs/performance.md.",
            err=True,
        )
        raise typer.Exit(2)
    try:
        recording = long_recording() if file is None else Spoken(file, "en", "", seconds(file))
    except NoSpeech as error:
        typer.echo(f"{error} Or name any recording by --file.", err=True)
        raise typer.Exit(2) from None
    for weights in () if sleeping else (model, diarization):
        typer.echo(f"Fetching {weights}, unless it is here")
        resolve(weights, None, Secrets().hub_token)
    env = {
        "RAYSCRIBE_RECOGNITION__MODEL": model,
        "RAYSCRIBE_RECOGNITION__SLOTS": str(slots),
        "RAYSCRIBE_DIARIZATION__MODEL": diarization,
        "RAYSCRIBE_WINDOWS_IN_FLIGHT": str(2 * slots),
    }
    ways = ("words",) if sleeping else tuple(PUBLISHED_S)
    profile = CPU_PROFILE if name is None else PROFILE
    if sleeping:
        recording = replace(recording, text="")
    found = _measure(profile, recording, minutes, repeats, env, ways=ways)
    found |= {"gpu": name, "model": model, "diarization": diarization, "slots": slots}
    if name is not None:
        found["floor"] = _floor(name, model, found["audio_s"], slots)
    typer.echo(f"\nWritten to {results.write('gpu', found)}")


def _gpu() -> str | None:
    import torch  # noqa: PLC0415 - seconds, which `--help` need not take

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _measure(
    profile: str,
    recording: Spoken,
    minutes: float,
    repeats: int,
    env: dict[str, str],
    *,
    ways: tuple[str, ...],
) -> dict[str, Any]:
    times = math.ceil(minutes * 60 / recording.seconds)
    audio_s = times * recording.seconds
    runs: dict[str, list[float]] = {way: [] for way in ways}
    errors: float | None = None
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder:
        path = repeated(recording.path, times, Path(folder) / "repeated.mka")
        with graph(profile, **env) as running, PeakMemory(running.process) as peak:
            before = processor_seconds(running.process)
            for _ in range(repeats):
                for way, taken in runs.items():
                    took, text = _one(running, path, speakers=way != "words")
                    taken.append(took)
                    typer.echo(f"{way}: {took:.1f} s")
                    if recording.text:
                        errors = word_error_rate([(" ".join([recording.text] * times), text)])
            after = processor_seconds(running.process)
    processor = per(audio_s * repeats * len(ways), before, after)
    print(f"\n{audio_s / 60:.0f} minutes")
    rows: list[list[Cell]] = []
    for way, taken in runs.items():
        took = median(taken)
        # The published figures are for 150 minutes, whatever was measured here.
        published = PUBLISHED_S[way] * audio_s / (MINUTES * 60)
        rows.append([way, took, audio_s / took, published, published / took])
    print(table(["", "wall, s", "× real time", "published (A100), s", "× published"], rows))
    head = ["of a core, a second of audio", *processor]
    print(table(head, [["ms", *(1e3 * each for each in processor.values())]]))
    wer = "" if errors is None else f"WER {percent(errors)}, "
    print(f"{wer}peak memory of all processes {peak.bytes / 1e9:.1f} GB")
    return {
        "audio_s": audio_s,
        "runs": runs,
        "wer": errors,
        "memory": peak.bytes,
        "processor": processor,
    }


def _one(running: RunningGraph, path: Path, *, speakers: bool) -> tuple[float, str]:
    form = {"language": "en"} | ({"speakers": "true"} if speakers else {})
    began = time.monotonic()
    answer = running.client.transcribe(path, **form)
    return time.monotonic() - began, answer["text"]


def _floor(name: str, model: str, audio_s: float, slots: int) -> dict[str, Any] | None:
    """The lower bound of the card at hand, where its figures are known; it is printed too."""
    shape = roofline.TURBO if "turbo" in model else roofline.LARGE_V3
    cards = [card for card in roofline.CARDS if card.name.split()[0] in name]
    if "large-v3" not in model or not cards:
        return None
    speech = roofline.Speech(_WINDOW_S)
    bound = roofline.floor(shape, cards[0], audio_s, slots, speech, silent_suffix=True)
    print(
        f"The floor of {cards[0].name}: {bound.total_s:.1f} s, of which the encoder "
        f"{bound.encoder_s:.1f} s; {1e3 * bound.step_s:.1f} ms a decoding step"
    )
    return asdict(bound)


if __name__ == "__main__":
    typer.run(main)
