import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from deployments.audio.fetching.spool import LoadCancelled, Spool
from interchange.errors import SourceTimeout, Unavailable
from interchange.files.room import Room


@pytest.fixture
def spool() -> Iterator[Spool]:
    with closing(Spool()) as made:
        yield made


def test_a_reader_waits_for_what_is_still_to_come(spool: Spool) -> None:
    read: list[bytes] = []

    def drain() -> None:
        reader = spool.reader(seekable=False)
        while data := reader.read(4):
            read.append(data)

    thread = threading.Thread(target=drain)
    thread.start()
    for part in (b"ab", b"cdefg", b"h"):
        spool.write(part)
        time.sleep(0.01)
    assert thread.is_alive()
    spool.finish()
    thread.join(5)
    assert b"".join(read) == b"abcdefgh"


def test_readers_have_positions_of_their_own(spool: Spool) -> None:
    spool.write(b"0123456789")
    spool.finish()
    first, second = spool.reader(seekable=True), spool.reader(seekable=True)
    assert first.seek(-3, 2) == 7
    assert second.read(2) == b"01"
    assert first.read(9) == b"789"
    assert second.seek(2, 1) == 4
    assert second.tell() == 4
    with pytest.raises(OSError, match="negative"):
        first.seek(-1)


def test_the_announced_size_spares_the_wait_for_the_end(spool: Spool) -> None:
    spool.expected = 100
    spool.write(b"x")
    assert spool.reader(seekable=True).seek(0, 2) == 100


def test_a_size_announced_wrongly_gives_way_to_the_real_one(spool: Spool) -> None:
    spool.expected = 100
    spool.write(b"x")
    spool.finish()
    assert spool.size() == 1


@pytest.mark.parametrize("blocked_in", ["read", "wait", "size"])
def test_a_failure_wakes_whoever_waits(spool: Spool, blocked_in: str) -> None:
    errors: list[Exception] = []

    def wait() -> None:
        try:
            if blocked_in == "read":
                spool.read_at(0, 1)
            elif blocked_in == "wait":
                spool.wait()
            else:
                spool.size()
        except SourceTimeout as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    spool.fail(SourceTimeout("too slow"))
    thread.join(5)
    assert [str(error) for error in errors] == ["too slow"]


def test_the_first_failure_is_the_one_that_counts(spool: Spool) -> None:
    spool.fail(SourceTimeout("too slow"))
    spool.fail(LoadCancelled())
    with pytest.raises(SourceTimeout):
        spool.check()


def test_several_share_a_room_and_leave_it() -> None:
    room = Room(1000)
    one, other = Spool(room), Spool(room)
    one.write(b"x" * 600)
    with pytest.raises(Unavailable, match="no room left"):
        other.write(b"x" * 401)
    other.write(b"x" * 400)
    one.close()
    one.close()
    other.write(b"x" * 600)
    with pytest.raises(Unavailable):
        other.write(b"x")
    other.close()
