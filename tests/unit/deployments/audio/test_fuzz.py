"""Files with faults never do more than raise: no crash, no exception that is not a client's."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_two_thousand_files_with_faults() -> None:
    """In a process of its own, as a fault in FFmpeg ends the one that it happens in."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.support.fuzz", "2000", "1"]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    *numbers, last = done.stdout.splitlines()
    assert done.returncode == 0, f"File {last}: {done.returncode} {done.stderr[-3000:]}"
    assert len(numbers) == 2000
    counts = re.fullmatch(r"(\d+) decoded, (\d+) refused", last)
    assert counts is not None
    assert min(map(int, counts.groups())) > 300
