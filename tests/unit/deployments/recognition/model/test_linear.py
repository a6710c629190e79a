"""Products are the same in whatever way they are made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from deployments.recognition.model.linear import Linear


@pytest.mark.parametrize("rows", [1, 3, 8, 70])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_product_is_what_torch_says_it_is(rows: int, biased: bool, dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    weight, x = torch.randn(33, 16, generator=draw), torch.randn(rows, 2, 16, generator=draw)
    bias = torch.randn(33, generator=draw) if biased else None
    with torch.inference_mode():
        product = Linear(weight, bias).ready(dtype)(x)
    close = 1e-5 if dtype == torch.float32 else 0.1
    assert product.dtype == dtype
    torch.testing.assert_close(
        product.float(), functional.linear(x, weight, bias), atol=close, rtol=close
    )


def test_without_the_instructions_a_product_is_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    for dtype in (torch.float32, torch.bfloat16):
        assert isinstance(Linear(torch.ones(2, 2), None).ready(dtype), Linear)


def test_few_shapes_are_kept() -> None:
    """By default a thousand are: a gigabyte once windows of 170 lengths have come."""
    assert os.environ["LRU_CACHE_CAPACITY"] == "64"
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64"


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").is_dir(), reason="this system has none"
)
def test_new_memory_comes_in_huge_pages() -> None:
    """Linux marks memory for which they were asked by the flag hg. In a process of its own: torch
    decides at its first tensor."""
    flags = """
import re, torch
import deployments.recognition.model.linear
tensor = torch.empty(64 * 2**20, dtype=torch.uint8)
for line in open("/proc/self/smaps"):
    if bounds := re.match("([0-9a-f]+)-([0-9a-f]+) ", line):
        inside = int(bounds[1], 16) <= tensor.data_ptr() < int(bounds[2], 16)
    elif inside and line.startswith("VmFlags:"):
        print(line)
"""
    found = subprocess.run([sys.executable, "-c", flags], capture_output=True, check=True)
    assert b"hg" in found.stdout.split()
