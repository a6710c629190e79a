"""Which recordings a source stands for."""

from pathlib import Path

import fsspec
import pyarrow
import pyarrow.parquet
import pytest

from interchange.errors import ServerError
from serve_app.batch.recordings import NoRecordings, Recording, _full_name, recordings

SUFFIXES = frozenset({".wav", ".mp3"})


def found(source: str | Path, column: str = "path") -> list[Recording]:
    return recordings(str(source), SUFFIXES, column)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in {
        "a.wav": 1,
        "late/b.MP3": 3,
        "late/deep/c.wav": 2,
        "notes.txt": 9,
        ".hidden.wav": 9,
        ".cache/d.wav": 9,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    return tmp_path


def test_a_folder_stands_for_the_recordings_below_it_the_largest_first(folder: Path) -> None:
    names = ["late/b.MP3", "late/deep/c.wav", "a.wav"]
    sizes = [3, 2, 1]
    assert found(folder) == [
        Recording(str(folder / name), size) for name, size in zip(names, sizes, strict=True)
    ]


def test_a_folder_by_a_relative_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its recordings are called by names that mean the same on another machine."""
    monkeypatch.chdir(folder)
    assert found("late") == found(folder / "late")


def test_a_pattern_takes_whatever_it_matches(folder: Path) -> None:
    assert found(f"{folder}/*.txt") == [Recording(str(folder / "notes.txt"), 9)]
    assert [each.size for each in found(f"{folder}/late/**/*.*")] == [3, 2]


def test_a_file_that_is_named_itself(folder: Path) -> None:
    assert found(folder / "notes.txt") == [Recording(str(folder / "notes.txt"), 9)]


def test_a_bucket() -> None:
    store = fsspec.filesystem("memory")
    store.pipe({"/bucket/calls/a.wav": b"1", "/bucket/calls/x/b.wav": b"12"})
    names = ["memory://bucket/calls/x/b.wav", "memory://bucket/calls/a.wav"]
    assert [each.path for each in found("memory://bucket/calls")] == names
    assert [each.path for each in found("memory://bucket/calls/*.wav")] == names[1:]


def test_a_list_keeps_its_order_and_takes_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["s3://calls/b.wav", None, "/data/a.raw", "https://example.com/c.mp3?key=1", "d.wav"]
    table = pyarrow.table({"recording": [*names, names[0]], "other": [1] * 6})
    pyarrow.parquet.write_table(table, tmp_path / "list.parquet")
    paths = [each.path for each in found(tmp_path / "list.parquet", "recording")]
    assert paths == [names[0], names[2], names[3], str(tmp_path / "d.wav")]


def test_a_list_without_the_column(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"file": ["a"]}), tmp_path / "list.parquet")
    with pytest.raises(ServerError, match=r"no column 'path', but file: name one by --column"):
        found(tmp_path / "list.parquet")


@pytest.mark.parametrize("source", ["nowhere", "nowhere/*.wav", "https://example.com/a.wav"])
def test_nothing_there(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoRecordings):
        found(source)


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(NoRecordings, match="no file whose name ends like one"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("source", "path", "name", "url"),
    [
        ("s3://calls/2026/", "calls/2026", "calls/2026/a.wav", "s3://calls/2026/a.wav"),
        ("sftp://me@data/data", "/data", "/data/a.wav", "sftp://me@data/data/a.wav"),
        ("file:///data", "/data", "/data/a.wav", "/data/a.wav"),
    ],
)
def test_a_file_is_called_by_what_opens_it(source: str, path: str, name: str, url: str) -> None:
    assert _full_name(source, path, name) == url
