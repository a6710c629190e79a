"""Check recognition on a GPU, by parts: `python -m benchmarks.gpu_check --help`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.gpu_check import correctness, original
from benchmarks.gpu_check.beside import beside
from benchmarks.gpu_check.diarization import diarization
from benchmarks.gpu_check.measuring import Results
from benchmarks.gpu_check.memory import capped
from benchmarks.gpu_check.scripted import recording
from benchmarks.gpu_check.stages import ceilings, stages
from benchmarks.gpu_check.subject import Subject

WINDOWS = 375
"""150 minutes, of 24 s each."""

Part = Callable[[Subject], Any]


def _recording(
    subject: Subject,
    *,
    shape: str,
    slots: int,
    usual: bool,
    windows: int = WINDOWS,
    profiled: bool = False,
) -> dict[str, Any]:
    small = subject.small
    return recording(
        subject.model(shape),
        6 if small else windows,
        4 if small else slots,
        usual=usual,
        profiled=profiled,
        warm=not small,
    )


def _stages(subject: Subject, shape: str) -> dict[str, Any]:
    rows = [1, 4] if subject.small else [1, 8, 16, 32, 64]
    return stages(subject.model(shape), rows[-1], rows)


def _of(shape: str) -> dict[str, Part]:
    speed = partial(_recording, shape=shape)
    return {
        f"{shape}/stages": partial(_stages, shape=shape),
        f"{shape}/words": partial(speed, slots=32, usual=False),
        f"{shape}/usual": partial(speed, slots=32, usual=True),
        f"{shape}/words64": partial(speed, slots=64, usual=False),
        f"{shape}/usual64": partial(speed, slots=64, usual=True),
        f"{shape}/busy": partial(speed, slots=32, usual=True, windows=150, profiled=True),
    }


PARTS: dict[str, Part] = {
    "ceilings": lambda subject: ceilings(subject.device),
    **_of("large-v3"),
    **_of("turbo"),
    "original": partial(original.pipeline_speed, shape="large-v3", minutes=16),
    "tokens": correctness.tokens,
    "errors": correctness.words,
    "capped": capped,
    "diarization": diarization,
    "beside": beside,
}


def main(
    bundle: Annotated[Path, typer.Argument(help="What `make gpu-bundle` packed.")],
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("gpu-check.json"),
    parts: Annotated[
        str, typer.Option(help=f"Which, separated by commas: {', '.join(PARTS)}.")
    ] = ",".join(PARTS),
    device: Annotated[str, typer.Option(help="cpu tries the check with a tiny model.")] = "cuda",
) -> None:
    """Measure, and write figures after each part."""
    wanted = parts.split(",")
    if unknown := [part for part in wanted if part not in PARTS]:
        raise typer.BadParameter(f"There is no part {unknown[0]}.")
    torch.set_grad_enabled(False)
    subject = Subject(bundle, torch.device(device))
    results = Results(out, subject.device)
    for part in wanted:
        results.part(part, partial(PARTS[part], subject))
    if results.failed:
        print("Failed:", ", ".join(results.failed))
        raise typer.Exit(1)


typer.run(main)
