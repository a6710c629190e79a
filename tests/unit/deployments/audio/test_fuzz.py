"""Files with faults never do more than raise: no crash, no exception that is not a client's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]


def test_two_thousand_files_with_faults() -> None:
    """As the service decodes them; one that crashes its child harms nobody, but none here does."""
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "tests.support.recordings.fuzz",
        "2000",
        "1",
    ]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{done.stdout} {done.stderr[-3000:]}"
    *crashed, last = done.stdout.splitlines()
    assert crashed == []
    counts = re.fullmatch(
        r"(\d+) decoded, (\d+) refused, 0 ended their child; grown by (-?\d+) MB", last
    )
    assert counts is not None, last
    decoded, refused, grown = map(int, counts.groups())
    assert decoded + refused == 2000
    assert min(decoded, refused) > 200
    assert grown < 64
