"""What is checked: models and recordings out of the bundle, on one device."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_check.shapes import SHAPES, captured_model, policy
from deployments.recognition.build import operations
from deployments.recognition.device import DevicePolicy
from deployments.recognition.model.whisper import WhisperModel
from interchange.stages import Window


@dataclass(frozen=True)
class Spoken:
    """A window of a recording that has a reference."""

    file: str
    language: str
    window: Window


class Subject:
    """`bundle` is the folder that was packed. On a CPU everything is tiny: the check is tried."""

    def __init__(self, bundle: Path, device: torch.device) -> None:
        self.bundle, self.device = bundle, device
        self.small = device.type == "cpu"

    @property
    def policy(self) -> DevicePolicy:
        return policy(self.device)

    def model(self, shape: str) -> WhisperModel:
        """Of a published shape, with random weights."""
        wanted = SHAPES["tiny" if self.small else shape]
        return captured_model(wanted, self.bundle / "tokenizer", self.device)

    @cached_property
    def base_folder(self) -> Path:
        """Whisper base's checkpoint, put together again from its parts of 8 bits a weight."""
        from safetensors.torch import save_file  # noqa: PLC0415

        parts: dict[str, Any] = {}
        for file in sorted(self.bundle.glob("base-*.npz")):
            parts |= np.load(file)
        weights = {}
        for name, part in parts.items():
            if name.endswith("|scale"):
                continue
            tensor = torch.from_numpy(part)
            if f"{name}|scale" in parts:
                scale = torch.from_numpy(parts[f"{name}|scale"]).float()
                tensor = tensor.float() * scale.view(-1, *[1] * (tensor.dim() - 1))
            weights[name] = tensor.half().contiguous()
        folder = Path(tempfile.mkdtemp(prefix="whisper-base-"))
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        for file in (self.bundle / "tokenizer").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        return folder

    def base(self, chosen: DevicePolicy | None = None) -> WhisperModel:
        chosen = chosen or self.policy
        return WhisperModel.load(self.base_folder, chosen, operations(chosen).add_norm)

    @cached_property
    def texts(self) -> dict[str, str]:
        """What is said in each file."""
        found: dict[str, str] = json.loads((self.bundle / "windows.json").read_text())["texts"]
        return found

    def spoken(self, prefix: str) -> Sequence[Spoken]:
        """The windows of the files whose names begin so; a few where the check is tried."""
        listed = json.loads((self.bundle / "windows.json").read_text())["windows"]
        samples = np.load(self.bundle / "windows.npz")["samples"]
        found = [
            Spoken(
                each["file"],
                each["language"],
                Window(
                    each["index"],
                    each["offset"],
                    samples[each["at"] : each["at"] + each["count"]],
                    tuple((start, end) for start, end in each["speech"]),
                ),
            )
            for each in listed
            if each["file"].startswith(prefix)
        ]
        return found[:2] if self.small else found
