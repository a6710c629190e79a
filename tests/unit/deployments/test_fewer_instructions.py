"""What a processor without AVX-512 would find, found on one that has it.

There the recognizer multiplies in float32 by other kernels, and the compiled loops are other code.
Its tests, and whatever else compares numbers, run once more in a process that is held to AVX2.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]

AVX2_ALONE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma",
}


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512",
    reason="no more than AVX2 is used here, by every test",
)
@pytest.mark.models
@pytest.mark.timeout(1800)  # of as many tests as are marked
def test_the_same_with_avx2_alone() -> None:
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "instructions", "tests/unit")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | AVX2_ALONE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
