"""What both recognition and diarization ask of the processor, and tell its library."""

import os
import subprocess
import sys

import pytest

from deployments import processor


@pytest.mark.slow
def test_what_onednn_may_not_use_is_not_chosen() -> None:
    """In a process of its own: oneDNN looks at what it may use once."""
    code = f"import {processor.__name__} as it; print(it.multiplies_bfloat16())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        check=True,
    )
    assert found.stdout.split() == [b"False"]


def test_few_shapes_are_kept() -> None:
    """By default a thousand are: a gigabyte once windows of 170 lengths have come."""
    assert os.environ["LRU_CACHE_CAPACITY"] == "64"
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64"
