import os
from types import SimpleNamespace

import pytest

from interchange.errors import ServerError, Unavailable
from interchange.files.room import Room, check_reserve, writing

GB = 10**9


def test_a_room_is_shared() -> None:
    room = Room(10)
    room.take(7)
    with pytest.raises(Unavailable, match="no room left"):
        room.take(4)
    room.take(3)
    room.give_back(7)
    room.take(7)


@pytest.mark.parametrize(
    ("free", "size", "enough"),
    [(GB, 100 * GB, True), (GB // 5, 100 * GB, False), (GB // 5, GB, True), (GB // 50, GB, False)],
)
def test_a_disk_is_never_filled_to_the_last(
    monkeypatch: pytest.MonkeyPatch, free: int, size: int, enough: bool
) -> None:
    disk = SimpleNamespace(f_bavail=free, f_blocks=size, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda place: disk)
    if enough:
        check_reserve("/tmp")
    else:
        with pytest.raises(Unavailable):
            check_reserve("/tmp")


def test_a_full_disk_is_told_from_a_broken_one() -> None:
    with pytest.raises(Unavailable), writing("It"):
        raise OSError(28, "No space left on device")
    with pytest.raises(ServerError, match="It could not be written to disk"), writing("It"):
        raise OSError(5, "Input/output error")
