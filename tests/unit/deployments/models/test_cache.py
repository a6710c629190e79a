import multiprocessing
import os
import time
from pathlib import Path

import pytest

from deployments.models import cache


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYSCRIBE_CACHE", str(tmp_path / "models"))
    return tmp_path / "models"


def _make(folder: Path) -> None:
    (folder / "weights").write_bytes(b"right")
    with (folder.parent.parent.parent / "made").open("a") as log:
        log.write("x")


def _made(root: Path) -> int:
    return len((root.parent / "made").read_text())


def test_makes_a_folder_once(root: Path) -> None:
    first, second = (cache.cached("model", 1, _make) for _ in range(2))
    assert first == second == root / "model"
    assert (first / "weights").read_bytes() == b"right"
    assert _made(root) == 1


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest"])
def test_makes_a_damaged_folder_anew(root: Path, damage: str) -> None:
    folder = cache.cached("model", 1, _make)
    if damage == "changed":
        (folder / "weights").write_bytes(b"wrong")
    elif damage == "missing":
        (folder / "weights").unlink()
    else:
        (folder / "manifest.json").write_text('{"revision": 1')
    assert (cache.cached("model", 1, _make) / "weights").read_bytes() == b"right"
    assert _made(root) == 2


def test_makes_a_folder_of_another_revision_anew(root: Path) -> None:
    cache.cached("model", 1, _make)
    cache.cached("model", 2, _make)
    assert _made(root) == 2


def test_a_failure_leaves_nothing_and_the_next_try_works(root: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "weights").write_bytes(b"half")
        raise RuntimeError("The connection broke.")

    with pytest.raises(RuntimeError):
        cache.cached("model", 1, fail)
    assert [path.name for path in root.iterdir()] in ([], [".model.lock"])
    cache.cached("model", 1, _make)


def test_a_failure_keeps_what_was_there(root: Path) -> None:
    def fail(folder: Path) -> None:
        raise RuntimeError("The connection broke.")

    folder = cache.cached("model", 1, _make)
    with pytest.raises(RuntimeError):
        cache.cached("model", 2, fail)
    assert (folder / "weights").read_bytes() == b"right"


def _slow(folder: Path) -> None:
    _make(folder)
    time.sleep(0.3)  # long enough for the others to arrive


def _process(root: str, everyone: "multiprocessing.synchronize.Barrier") -> None:
    os.environ["RAYSCRIBE_CACHE"] = root
    everyone.wait()
    assert (cache.cached("model", 1, _slow) / "weights").read_bytes() == b"right"


def test_processes_that_come_at_once_make_it_once(root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    everyone = context.Barrier(4)
    processes = [context.Process(target=_process, args=(str(root), everyone)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert _made(root) == 1
