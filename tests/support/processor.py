"""What the processor can do, and what tests need of it.

A processor's instructions decide in which type the recognizer multiplies and in which order sums
are made. Tests that this could matter to are marked: they run with all instructions that there
are, and once more with AVX2 alone (`tests/unit/deployments/test_fewer_instructions.py`).
"""

import pytest
import torch

from deployments.compiled.products import multiplies_integers
from deployments.processor import multiplies_bfloat16
from tests.support.wanting import WANTING

needs_bfloat16 = pytest.mark.skipif(
    not multiplies_bfloat16(), reason=f"{WANTING}instructions for bfloat16 (AVX512-BF16)"
)

needs_integers = pytest.mark.skipif(
    not multiplies_integers(), reason=f"{WANTING}instructions for 16-bit integers (AVX2)"
)

with_fewer_too = pytest.mark.instructions
"""Marks tests that run again with AVX2 alone."""

in_every_type = pytest.mark.parametrize(
    "whisper",
    [
        pytest.param(torch.float32, id="float32", marks=with_fewer_too),
        pytest.param(torch.bfloat16, id="bfloat16", marks=needs_bfloat16),
        pytest.param(torch.int16, id="int16", marks=[with_fewer_too, needs_integers]),
    ],
    indirect=True,
)
"""Runs tests of the bundled Whisper in each type that a CPU may multiply in."""
