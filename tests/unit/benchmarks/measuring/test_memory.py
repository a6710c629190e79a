import json
import os
import subprocess
import sys

from benchmarks.measuring.memory import PeakMemory, of_tree


def test_memory_of_a_tree_has_the_children_in_it() -> None:
    script = "import time; held = bytearray(60_000_000); print('held', flush=True); time.sleep(60)"
    before = of_tree(os.getpid())
    with (
        PeakMemory(os.getpid()) as peak,
        subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
        ) as child,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        held = of_tree(os.getpid()) - before
        peak._look()
        child.kill()
    assert 55e6 < held < 120e6
    assert peak.bytes >= before + 55e6
    assert of_tree(child.pid) == 0


def test_results_can_be_written_as_json() -> None:
    from benchmarks.measuring.results import machine

    assert json.loads(json.dumps(machine()))["cores"] >= 1
