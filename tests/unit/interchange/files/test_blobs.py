import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import pytest

from interchange.errors import NotFound, Unavailable
from interchange.files.blobs import BlobStore
from interchange.stages import BlobSource


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_what_is_saved_can_be_read_and_removed(tmp_path: Path) -> None:
    store = BlobStore(f"file://{tmp_path}/not/yet")
    source = await store.save(chunks(b"one ", b"two"), "../fähre & “quote”.wav")
    assert source.name == "../fähre & “quote”.wav"
    with store.open(source) as file:
        file.seek(4)
        assert file.read() == b"two"
    await store.delete(source)
    await store.delete(source)
    with pytest.raises(NotFound, match="upload it again"):
        store.open(source)


async def test_a_clients_name_never_becomes_a_path(tmp_path: Path) -> None:
    store = BlobStore(f"file://{tmp_path}/store")
    await store.save(chunks(b"x"), "../../escape.wav")
    assert [path.parent for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "store"]


async def test_a_broken_upload_leaves_nothing_behind(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await BlobStore(f"file://{tmp_path}").save(broken(), "a.wav")
    assert list(tmp_path.iterdir()) == []


async def test_a_store_that_cannot_be_written_to_is_our_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="could not be stored"):
        await BlobStore(f"file://{tmp_path}/file/store").save(chunks(b"x"), "a.wav")


async def test_no_upload_is_taken_beyond_what_the_store_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interchange.files.blobs._COUNTED_S", 0)
    store = BlobStore(f"file://{tmp_path}/store", most_bytes=20 * 2**20)
    part = bytes(2**20)
    kept = await store.save(chunks(*[part] * 12), "a.wav")
    with pytest.raises(Unavailable, match="no room left"):
        await store.save(chunks(*[part] * 40), "endless.wav")
    assert [path.name for path in (tmp_path / "store").iterdir()] == [kept.path]
    result = await store.put(bytes(9 * 2**20))  # what work has made is kept
    with pytest.raises(Unavailable):
        await store.save(chunks(b"x"), "b.wav")
    await store.delete(BlobSource(result, "result"))
    await store.save(chunks(b"x"), "b.wav")


async def test_files_that_go_while_they_are_counted_are_nobodys_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interchange.files.blobs._COUNTED_S", 0)
    store = BlobStore(f"file://{tmp_path}", most_bytes=2**20)
    kept = await store.save(chunks(b"12345"), "a.wav")
    walk = [(str(tmp_path), list[str](), [kept.path, "removed"])]
    monkeypatch.setattr("interchange.files.blobs.os.walk", lambda _: walk)
    await store.save(chunks(b"x"), "b.wav")
    assert store._held() == 5


async def test_an_object_store_is_counted_by_its_list() -> None:
    store = BlobStore("memory://counted", most_bytes=2**20)
    for content in (b"12345", b"123"):
        await store.save(chunks(content), "a.wav")
    assert store._held() == 8


async def test_files_and_the_folder_are_the_services_own(tmp_path: Path) -> None:
    store = BlobStore(f"file://{tmp_path}/new/store")
    source = await store.save(chunks(b"x"), "a.wav")
    key = await store.put(b"result")
    for path in (source.path, key):
        assert (tmp_path / "new" / "store" / path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "store").stat().st_mode & 0o777 == 0o700


async def test_who_goes_away_at_the_beginning_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobStore(f"file://{tmp_path}/store")
    opening, go_on = threading.Event(), threading.Event()
    create = store._create

    def slow(source: BlobSource) -> BinaryIO:
        opening.set()
        go_on.wait(60)
        return create(source)

    monkeypatch.setattr(store, "_create", slow)
    saving = asyncio.create_task(store.save(chunks(b"x"), "a.wav"))
    await asyncio.to_thread(opening.wait, 60)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    go_on.set()
    while not (tmp_path / "store").exists() or list((tmp_path / "store").iterdir()):
        await asyncio.sleep(0.01)
