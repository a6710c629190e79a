"""Where the compiler may use the instructions. In processes of their own: Numba looks once."""

import os
import subprocess
import sys

import pytest

CODE = """
from deployments.compiled import multiply_add
print(multiply_add.supported(), multiply_add.faster())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("features", "supported", "faster"),
    [
        ("+sse4.2", False, False),
        ("+avx2", False, False),
        ("+avx2,+fma", True, True),
        ("+avx2,+fma,-avx512f", True, True),
        ("+avx2,+fma,+avx512f", True, False),
        ("+avx2,+fma,+avx512f,+avx512vnni", True, True),
    ],
)
def test_the_processor_says_whether(features: str, supported: bool, faster: bool) -> None:
    found = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features},
        capture_output=True,
        check=True,
        text=True,
    )
    assert found.stdout.split() == [str(supported), str(faster)]
