"""With a package of its own in torchaudio's place: mending must not touch the real one."""

from pathlib import Path

import pytest

from deployments.models import torchaudio_mend

# Like the real one, it loads whatever library it finds and fails where that cannot be loaded.
INIT = """
import ctypes, pathlib
for library in (pathlib.Path(__file__).parent / "lib").glob("*.so"):
    ctypes.CDLL(str(library))
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "torchaudio"
    (folder / "lib").mkdir(parents=True)
    (folder / "__init__.py").write_text(INIT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "torchaudio", raising=False)
    return folder


def test_sets_a_library_aside_that_cannot_be_loaded(package: Path) -> None:
    library = package / "lib" / "_torchaudio.abi3.so"
    library.write_bytes(b"for another machine")
    assert "set 1 libraries aside" in torchaudio_mend.mend()
    assert [path.name for path in (package / "lib").iterdir()] == [library.name + ".set-aside"]
    assert torchaudio_mend.mend() == "torchaudio imports as it is."


def test_leaves_a_healthy_one_alone(package: Path) -> None:
    assert torchaudio_mend.mend() == "torchaudio imports as it is."


def test_puts_the_library_back_where_it_was_not_to_blame(package: Path) -> None:
    (package / "__init__.py").write_text("raise ImportError('no torch here')")
    library = package / "lib" / "_torchaudio.abi3.so"
    library.write_bytes(b"fine")
    with pytest.raises(RuntimeError, match="no torch here"):
        torchaudio_mend.mend()
    assert library.read_bytes() == b"fine"
