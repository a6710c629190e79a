"""Pack what the check needs, in parts of at most 50 MB: `make gpu-bundle`.

Whisper base goes by 8 bits a weight, in two parts: enough to compare ways of decoding the same
weights. Windows are cut here. Beside them lie the diarizer's weights with a recording, and wheels
of what machines with torch and transformers commonly lack.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from safetensors.torch import load_file

from benchmarks.measuring.recordings import cut, long_recording, spoken, waveform
from configs.settings import AudioSettings
from deployments.models.resolve import resolve
from interchange.samples import as_int16
from tests.support.recordings.speech import SPEECH

WANTED = ("pyannote.audio", "jiwer")
ANYWAY = ("pydantic", "pydantic-settings", "greenlet")
"""Packed with all that they need, as tested: other machines have older ones."""
THERE = (
    *("torch", "torchaudio", "transformers", "lightning", "numba", "scikit-learn", "pandas"),
    *("matplotlib", "typer", "requests", "grpcio", "protobuf"),
)
"""What that machine has, with all that they need."""
NOT_WANTED = ("torchcodec",)
"""Belongs to one torch, and decodes nothing here."""
PARTS = 2


def main(
    folder: Annotated[Path, typer.Argument(help="Where the bundle goes.")] = Path("gpu-bundle"),
    python: Annotated[str, typer.Option(help="The Python of that machine.")] = "3.12",
) -> None:
    """Pack the bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    _pack_base(folder)
    _pack_windows(folder)
    _pack_diarization(folder / "diarization")
    _pack_wheels(folder / "wheels", python)
    for path in sorted(folder.iterdir()):
        files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        print(f"{sum(file.stat().st_size for file in files) / 1e6:6.1f} MB  {path}")


def _pack_base(folder: Path) -> None:
    base = resolve("bundled:whisper-base")
    (folder / "tokenizer").mkdir(exist_ok=True)
    for file in base.glob("*.json"):
        shutil.copy(file, folder / "tokenizer" / file.name)
    parts: list[dict[str, Any]] = [{} for _ in range(PARTS)]
    for name, weight in load_file(base / "model.safetensors").items():
        smallest = min(parts, key=lambda part: sum(each.nbytes for each in part.values()))
        if weight.dim() < 2:
            smallest[name] = weight.half().numpy()
            continue
        flat = weight.float().flatten(1)
        scale = flat.abs().amax(1).clamp(min=1e-12) / 127
        smallest[name] = (flat / scale[:, None]).round().to(torch.int8).view(weight.shape).numpy()
        smallest[f"{name}|scale"] = scale.half().numpy()
    for number, part in enumerate(parts, 1):
        np.savez(folder / f"base-{number}.npz", **part)


def _pack_windows(folder: Path) -> None:
    listed, samples, at = [], [], 0
    chosen = [*spoken("en"), long_recording()]
    for recording in chosen:
        file = recording.path.relative_to(SPEECH).as_posix()
        for window in cut(waveform(recording.path), AudioSettings()):
            listed.append(
                {
                    "file": file,
                    "language": recording.language,
                    "index": window.index,
                    "offset": int(window.offset),
                    "at": at,
                    "count": len(window.samples),
                    "speech": [[int(start), int(end)] for start, end in window.speech],
                }
            )
            samples.append(window.samples)
            at += len(window.samples)
    np.savez_compressed(folder / "windows.npz", samples=np.concatenate(samples))
    texts = {each.path.relative_to(SPEECH).as_posix(): each.text for each in chosen}
    (folder / "windows.json").write_text(json.dumps({"windows": listed, "texts": texts}))


def _pack_diarization(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for file in resolve("bundled:diarization").iterdir():
        shutil.copy(file, folder / file.name)
    samples = as_int16(waveform(long_recording().path))
    np.savez_compressed(folder / "recording.npz", samples=samples)


def wheels() -> dict[str, str]:
    """The packages to carry, by name and version."""
    there = _needed(THERE)
    carried = {name: it for name, it in _needed(WANTED).items() if name not in there}
    return {n: it for n, it in (carried | _needed(ANYWAY)).items() if n not in NOT_WANTED}


def _needed(names: Iterable[str]) -> dict[str, str]:
    """Versions of installed packages, and of what they need."""
    found, waiting = dict[str, str](), list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        distribution = metadata.distribution(name)
        found[name] = distribution.version
        waiting += [
            needed.name
            for needed in map(Requirement, distribution.requires or ())
            if needed.marker is None or needed.marker.evaluate({"extra": ""})
        ]
    return found


def _pack_wheels(folder: Path, python: str) -> None:
    pinned = [f"{name}=={version}" for name, version in wheels().items()]
    platforms = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary=:all:", f"--python-version={python}", "--implementation=cp"),
            *(f"--platform={platform}" for platform in (*platforms, "any")),
            *("--dest", str(folder), *pinned),
        ],
        check=True,
    )


if __name__ == "__main__":
    typer.run(main)
