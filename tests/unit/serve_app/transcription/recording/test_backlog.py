import io
import weakref

import numpy as np
import pytest

from interchange.errors import Unavailable
from interchange.stages import Window
from serve_app.transcription.recording.backlog import Backlog


def window(index: int, length: int) -> Window:
    return Window(index, 0, np.full(length, index, np.int16), ((0, length),))


def test_windows_come_back_in_order_from_the_disk() -> None:
    with Backlog[Window]() as backlog:
        for index in range(4):
            backlog.put(window(index, 1000 + index))
        for index in range(2):
            np.testing.assert_array_equal(
                backlog.get().samples, window(index, 1000 + index).samples
            )
        backlog.put(window(4, 7))
        assert [len(backlog.get().samples) for _ in range(len(backlog))] == [1002, 1003, 7]


def test_nothing_that_waits_on_the_disk_stays_in_memory() -> None:
    samples = np.zeros(1000, np.int16)
    held = weakref.ref(samples)
    with Backlog[Window]() as backlog:
        backlog.put(Window(0, 0, samples, ((0, 1000),)))
        del samples
        assert held() is None


def test_a_full_disk_is_no_fault_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.FileIO):
        def seek(self, position: int, whence: int = 0, /) -> int:
            return 0

        def write(self, data: object, /) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full("/dev/zero", "r"))
    with Backlog[Window]() as backlog, pytest.raises(Unavailable, match="no room left"):
        backlog.put(window(0, 10))
