"""What the model runs on and how: decided once, with the reason in the log."""

import importlib.util
import logging
from dataclasses import dataclass

import torch

from configs.settings import RecognitionSettings
from deployments.recognition.attention.kernels import Kernel
from deployments.recognition.model.linear import multiplies_bfloat16

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """`dtype` is what matrices are multiplied in, and what the decoder keeps of the encoder's
    output. `encode_together` is how many windows the encoder takes at once, `threads` how many
    a CPU has for all."""

    device: torch.device
    dtype: torch.dtype
    attention: Kernel
    encode_together: int
    reason: str
    threads: int = 1

    @property
    def between(self) -> torch.dtype:
        """What is kept between the products: sums, norms, softmax, the decoder's own cache.

        A CPU gains from short numbers in products only. The rest stays exact there.
        """
        return torch.float32 if self.device.type == "cpu" else self.dtype

    @classmethod
    def choose(cls, settings: RecognitionSettings) -> "DevicePolicy":
        """Raises ValueError for settings that this machine cannot fulfil."""
        device = _device(settings)
        dtype = _dtype(settings, device)
        attention, reason = _attention(settings, device, dtype)
        return cls(
            device,
            dtype,
            attention,
            # On a CPU a batch is no faster than one window, and would have to be padded.
            encode_together=1 if device.type == "cpu" else 8,
            reason=f"{device}, {dtype}, {attention} attention: {reason}",
            threads=settings.cpu_threads if device.type == "cpu" else 1,
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


def _dtype(settings: RecognitionSettings, device: torch.device) -> torch.dtype:
    if settings.dtype != "auto":
        chosen: torch.dtype = getattr(torch, settings.dtype)
        return chosen
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if multiplies_bfloat16() else torch.float32


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


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device, or the machine, had no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # torch's allocator for CPUs raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
