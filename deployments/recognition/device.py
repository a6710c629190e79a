"""What the model runs on and how: decided once, with the reason in the log."""

import importlib.util
import logging
from dataclasses import dataclass
from typing import Literal

import torch

from configs.settings import RecognitionSettings
from deployments.compiled.products import integers_are_faster, multiplies_integers
from deployments.processor import multiplies_bfloat16
from deployments.recognition.attention.kernels import Kernel

log = logging.getLogger(__name__)


Way = Literal["ragged", "captured"]


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """`dtype` is what matrices are multiplied in, and what the decoder keeps of the encoder's
    output; where that is int16, rows and columns have scales, and what is kept is bfloat16.
    `threads` is how many a CPU has for all.

    `way` is how rows are decoded: "ragged", each over memory as long as its window, in compiled
    loops for CPUs; or "captured", all in slots of one size, by recorded steps (`graphs`) and
    kernels (`kernels`) for GPUs. A CPU can go the captured way too, with neither, to check it.
    """

    device: torch.device
    dtype: torch.dtype
    attention: Kernel
    reason: str
    threads: int = 1
    way: Way = "ragged"
    graphs: bool = False
    kernels: bool = False

    @property
    def between(self) -> torch.dtype:
        """What is kept between the products: sums, norms, softmax, the decoder's own cache.

        A CPU gains from short numbers in products only. The rest stays exact there.
        """
        return torch.float32 if self.device.type == "cpu" else self.dtype

    @property
    def encode_together(self) -> int:
        """Windows in a batch of the encoder. On a CPU a batch is no faster than one window."""
        return 1 if self.way == "ragged" else 8

    @property
    def encoded_step(self) -> int:
        """To a multiple of how many positions the encoder rounds a window's length up, so that few
        shapes occur: a batch has windows of one length, and each length is recorded."""
        return 1 if self.way == "ragged" else 250

    @property
    def groups_silence(self) -> bool:
        """Whether the encoder reads silence in groups. That takes a mask, for which a GPU's fastest
        kernels have no place."""
        return self.way == "ragged"

    @classmethod
    def choose(cls, settings: RecognitionSettings) -> "DevicePolicy":
        """Raises ValueError for settings that this machine cannot fulfil."""
        device = _device(settings)
        if settings.capture == "cuda_graph" and device.type == "cpu":
            raise ValueError(
                "`recognition.capture` is cuda_graph, but the model runs on a CPU; use auto."
            )
        dtype, why = _dtype(settings, device)
        attention, reason = _attention(settings, device, dtype)
        gpu = device.type == "cuda"
        return cls(
            device,
            dtype,
            attention,
            reason=f"{device}, {dtype}{why}, {attention} attention: {reason}",
            threads=1 if gpu else settings.cpu_threads,
            way="captured" if gpu else "ragged",
            graphs=gpu and settings.capture != "off",
            kernels=gpu and importlib.util.find_spec("triton") is not None,
        )


def _device(settings: RecognitionSettings) -> torch.device:
    if settings.device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if settings.device == "cuda":
        raise ValueError(
            "`recognition.device` is cuda, but torch finds no GPU. Use auto or cpu, or install "
            "a build of torch for the GPU's driver."
        )
    return torch.device("cpu")


def _dtype(settings: RecognitionSettings, device: torch.device) -> tuple[torch.dtype, str]:
    """And why, where that says something of the processor."""
    if settings.dtype == "int16" and (device.type == "cuda" or not multiplies_integers()):
        raise ValueError(
            "`recognition.dtype` is int16, which is for CPUs with AVX2, and the model would run on "
            f"{'a GPU' if device.type == 'cuda' else 'one without'}; use auto."
        )
    if settings.dtype != "auto":
        chosen: torch.dtype = getattr(torch, settings.dtype)
        return chosen, ""
    if device.type == "cuda":
        return torch.float16, ""
    if multiplies_bfloat16():
        return torch.bfloat16, ""
    if integers_are_faster():
        return torch.int16, " (the processor has no units for bfloat16)"
    return torch.float32, ""


def _attention(
    settings: RecognitionSettings, device: torch.device, dtype: torch.dtype
) -> tuple[Kernel, str]:
    missing = _flash_missing(device, dtype)
    if settings.attention == "flash_attention_2":
        if missing is not None:
            raise ValueError(f"`recognition.attention` is flash_attention_2, but {missing}.")
        return "flash_attention_2", "as configured"
    if settings.attention != "auto":
        return settings.attention, "as configured"
    if missing is not None:
        return "sdpa", f"FlashAttention 2 is not used since {missing}"
    return "flash_attention_2", "the GPU and the installation have it"


def _flash_missing(device: torch.device, dtype: torch.dtype) -> str | None:
    if device.type != "cuda":
        return "it needs an NVIDIA GPU"
    if dtype == torch.float32:
        return "it needs float16 or bfloat16"
    major, minor = torch.cuda.get_device_capability(device)
    if major < 8:
        return f"it needs a GPU of compute capability 8.0, and this one has {major}.{minor}"
    if importlib.util.find_spec("flash_attn") is None:
        return "the package flash-attn is not installed"
    return None
