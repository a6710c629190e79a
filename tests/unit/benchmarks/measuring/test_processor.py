import os
import subprocess
import sys

from benchmarks.measuring.processor import RAY, per, processor_seconds

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def test_what_a_process_takes_is_its_kinds() -> None:
    before = processor_seconds(os.getpid())
    with subprocess.Popen(
        ["ray::ProxyActor", "-c", BUSY],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as proxy:
        assert proxy.stdout is not None
        proxy.stdout.readline()
        after = processor_seconds(os.getpid())
        proxy.communicate(b"\n")
    assert after["proxy"] >= 0.25
    assert after[RAY] >= before[RAY]


def test_what_was_taken_before_does_not_count() -> None:
    found = per(10, {"loader": 5.0}, {"loader": 25.0, "ingress": 1.0})
    assert found == {"loader": 2.0, "ingress": 0.1}
