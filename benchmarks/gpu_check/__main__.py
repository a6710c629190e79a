"""Check recognition and diarization on a GPU: `python -m benchmarks.gpu_check --help`."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.gpu_check import stages as by_stage
from benchmarks.gpu_check.measuring import Results
from benchmarks.gpu_check.scripted import recording
from benchmarks.gpu_check.shapes import SHAPES, captured_model

WINDOWS = 375
"""150 minutes, of 24 s each."""


def main(
    bundle: Annotated[Path, typer.Argument(help="What `make gpu-bundle` packed.")],
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("gpu-check.json"),
    parts: Annotated[
        str, typer.Option(help="Which parts, separated by commas.")
    ] = "ceilings,stages,large-v3",
    device: Annotated[str, typer.Option(help="cpu tries the check with a tiny model.")] = "cuda",
) -> None:
    """Measure, and write figures after each part."""
    torch.set_grad_enabled(False)
    where = torch.device(device)
    results, wanted = Results(out, where), parts.split(",")
    small = where.type == "cpu"
    config = bundle / "basej"
    if "ceilings" in wanted and not small:
        results.part("ceilings", lambda: by_stage.ceilings(where))
    for name in ("large-v3", "turbo"):
        chosen = [part for part in wanted if part.startswith(name)]
        if not chosen:
            continue
        model = captured_model(SHAPES["tiny" if small else name], config, where)
        windows = 6 if small else WINDOWS
        slots = 4 if small else 32
        if f"{name}/stages" in chosen:
            rows = [1, 4] if small else [1, 8, 16, 32, 64]
            results.part(f"{name}/stages", lambda: by_stage.stages(model, 4 if small else 64, rows))
        for part, usual, count in (
            ("words", False, slots),
            ("usual", True, slots),
            ("words64", False, 2 * slots),
            ("usual64", True, 2 * slots),
        ):
            if f"{name}/{part}" in chosen:
                results.part(
                    f"{name}/{part}",
                    lambda: recording(model, windows, count, usual=usual),
                )
        if f"{name}/profile" in chosen:
            results.part(
                f"{name}/profile",
                lambda: recording(model, min(windows, 150), slots, usual=True, profiled=True),
            )
        del model
    if results.failed:
        print("Failed:", ", ".join(results.failed))
        raise typer.Exit(1)


typer.run(main)
