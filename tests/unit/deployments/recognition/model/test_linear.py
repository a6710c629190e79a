"""Products are the same in whatever way they are made."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from deployments.compiled import shares
from deployments.compiled.products import Integers
from deployments.recognition.model.linear import Linear, Packed
from tests.support.processor import needs_bfloat16, needs_integers, with_fewer_too


@pytest.mark.parametrize("rows", [1, 3, 8, 70])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(
    "dtype",
    [torch.float32, torch.bfloat16, pytest.param(torch.int16, marks=needs_integers)],
)
def test_a_product_is_what_torch_says_it_is(rows: int, biased: bool, dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    weight, x = torch.randn(33, 16, generator=draw), torch.randn(rows, 2, 16, generator=draw)
    bias = torch.randn(33, generator=draw) if biased else None
    with torch.inference_mode():
        product = Linear(weight, bias).ready(dtype)(x)
    close = {torch.float32: 1e-5, torch.int16: 1e-2, torch.bfloat16: 0.1}[dtype]
    assert product.dtype == (torch.float32 if dtype == torch.int16 else dtype)
    torch.testing.assert_close(
        product.float(), functional.linear(x, weight, bias), atol=close, rtol=close
    )


@with_fewer_too
@pytest.mark.parametrize("outputs", [64, 512])
@pytest.mark.parametrize("inputs", [512, 2048])
@pytest.mark.parametrize(
    ("dtype", "most"),
    [
        (torch.float32, 550),
        pytest.param(torch.bfloat16, 32, marks=needs_bfloat16),
        pytest.param(torch.int16, 550, marks=needs_integers),
    ],
)
def test_neither_rows_nor_threads_change_a_bit(
    dtype: torch.dtype, most: int, inputs: int, outputs: int
) -> None:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(outputs, inputs, generator=draw)
    x = torch.randn(most, inputs, generator=draw)
    product = Linear(weight, torch.randn(outputs, generator=draw)).ready(dtype)
    assert isinstance(product, Packed | Integers)
    with torch.inference_mode():
        expected = product(x)
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            shares.allow(threads)
            for rows in (1, 2, 3, 5, 8, 13, 16, 17, 31, 64, 123):
                for some in (slice(rows), slice(most - rows, most)):
                    if rows <= most:
                        assert torch.equal(product(x[some]), expected[some])
    torch.set_num_threads(1)
    shares.allow(1)


@with_fewer_too
@pytest.mark.parametrize(
    "dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)]
)
@pytest.mark.parametrize("tokens", [3, 14, 40])
def test_windows_of_several_tokens_do_not_change_each_other(
    dtype: torch.dtype, tokens: int
) -> None:
    draw = torch.Generator().manual_seed(0)
    product = Linear(torch.randn(512, 512, generator=draw), None).ready(dtype)
    x = torch.randn(12, tokens, 512, generator=draw)
    with torch.inference_mode():
        together = product(x)
        for row in range(12):
            assert torch.equal(product(x[row : row + 1])[0], together[row])


@pytest.mark.parametrize(
    ("missing", "dtype"),
    [("_is_avx512_bf16_supported", torch.bfloat16), ("_is_avx2_supported", torch.float32)],
)
def test_without_the_instructions_a_product_is_torchs_own(
    monkeypatch: pytest.MonkeyPatch, missing: str, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, missing, lambda: False)
    assert isinstance(Linear(torch.ones(2, 2), None).ready(dtype), Linear)


@pytest.mark.slow
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
