"""What torch may use of the processor, and how much it keeps to use it."""

import os

import torch

# oneDNN and torch's layer above it each keep what they made for the last 1,024 shapes, about 6 MB
# for every length of a recognizer's window: a gigabyte after 170 windows. A diarizer's products of
# bfloat16 grow in the same way. Decoding has some 60 shapes, and lengths hardly come twice. Both
# read this at the first product.
for cache in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
    os.environ.setdefault(cache, "64")


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for it, and oneDNN may use them
    (`ONEDNN_MAX_CPU_ISA`). Without them it takes longer than float32."""
    if not (torch.cpu._is_avx512_bf16_supported() and has_onednn()):
        return False
    used: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return used


def has_onednn() -> bool:
    """The operations are torch's own and not promised: a build may come without them."""
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")
