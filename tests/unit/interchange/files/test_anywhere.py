"""Recordings anywhere: on disk and in a store of objects, which fsspec keeps in memory here."""

from pathlib import Path

import fsspec
import pytest

from interchange.errors import NotFound, ServerError
from interchange.files.anywhere import Anywhere, file_system
from interchange.stages import BlobSource


def content(path: str) -> bytes:
    with Anywhere().open(BlobSource(path, "a name")) as file:
        assert file.seekable()
        return file.read()


@pytest.mark.parametrize(
    "name", ["plain.wav", "a::b.wav", "[1].wav", "fähre 日本.wav", "#?%41.wav"]
)
def test_a_file_on_disk_by_whatever_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"sound")
    assert content(str(tmp_path / name)) == b"sound"


def test_an_object_of_a_store() -> None:
    fsspec.filesystem("memory").pipe("/anywhere/a &b.wav", b"sound")
    assert content("memory://anywhere/a &b.wav") == b"sound"


@pytest.mark.parametrize("path", ["/nowhere/a.wav", "memory://nowhere/a.wav"])
def test_what_is_not_there(path: str) -> None:
    with pytest.raises(NotFound, match=r"nowhere/a\.wav"):
        content(path)


def test_an_address_that_nothing_reads() -> None:
    with pytest.raises(ServerError, match="nothing://here"):
        file_system("nothing://here")
