"""Each start is a process of its own, as that of a replica is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.compiled import scalars
from deployments.compiled.kept import folder, sources
from deployments.diarization.compiled import lstm
from deployments.recognition.compiled import cross_attention

pytestmark = pytest.mark.slow

START = """
import json
import numpy as np
from deployments.compiled import scalars
from deployments.recognition.compiled.cross_attention import kernel

dice = np.random.default_rng(1)
attend = kernel(8, bfloat16=False)
found = np.zeros((2, 8), np.float32)
draw = lambda *shape: dice.standard_normal(shape).astype(np.float32)
own = draw(1, 2, 5, 8), draw(1, 2, 8, 5)
silence = draw(1, 2, 3, 8), draw(1, 2, 8, 3)
attend(draw(2, 8), 0, own, silence, draw(2), found)
print(json.dumps({
    "found": found.tolist(),
    "compiled": sum(attend.stats.cache_misses.values()),
    "taken": sum(attend.stats.cache_hits.values()),
}))
"""


def start(cache: Path, **env: str) -> dict[str, Any]:
    child = subprocess.run(
        [sys.executable, "-c", START],
        env={**os.environ, "RAYSCRIBE_CACHE": str(cache), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def kept(cache: Path) -> list[Path]:
    return [path for path in (cache / "compiled").rglob("*") if path.is_file()]


def test_a_second_start_takes_what_the_first_compiled(tmp_path: Path) -> None:
    first = start(tmp_path)
    second = start(tmp_path)
    assert (first["compiled"], first["taken"]) == (1, 0)
    assert (second["compiled"], second["taken"]) == (0, 1)
    assert second["found"] == first["found"]


def test_another_processor_gets_code_of_its_own(tmp_path: Path) -> None:
    start(tmp_path)
    assert start(tmp_path, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")["compiled"] == 1
    assert start(tmp_path)["taken"] == 1


def test_what_is_damaged_is_compiled_anew_and_mended(tmp_path: Path) -> None:
    first = start(tmp_path)
    for path in kept(tmp_path):
        path.write_bytes(path.read_bytes()[:100])
    second = start(tmp_path)
    assert second["compiled"] == 1
    assert second["found"] == first["found"]
    assert start(tmp_path)["taken"] == 1


def test_without_a_folder_all_is_compiled(tmp_path: Path) -> None:
    cache = tmp_path / "file"
    cache.write_text("This is no folder.")
    assert start(cache)["compiled"] == 1


def test_nothing_is_taken_out_of_a_folder_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYSCRIBE_CACHE", str(tmp_path))
    try:
        folder.cache_clear()
        assert folder() is not None
        folder.cache_clear()
        monkeypatch.setattr(os, "getuid", lambda: -1)
        assert folder() is None
    finally:
        folder.cache_clear()


def test_code_goes_by_the_sources_of_all_loops() -> None:
    of = [Path(module.__file__ or "") for module in (scalars, lstm, cross_attention)]
    assert set(of) <= set(sources())
