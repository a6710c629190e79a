"""The board of recordings at work, on a terminal of which the lines are kept."""

import io
import re
import sys
import threading

import pytest

from serve_app.client.progress import Board


class Terminal(io.StringIO):
    """What a terminal shows of what is written to it: text, line feeds, up, and wiped lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self.row = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for part in re.split(r"(\x1b\[[0-9?;]*[A-Za-z]|\n|\r)", text):
            if part == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif part == "\x1b[2K":
                self.lines[self.row] = ""
            elif part == "\x1b[1A":
                self.row = max(self.row - 1, 0)
            elif not part.startswith("\x1b") and part != "\r":
                self.lines[self.row] += part
        return len(text)


def test_lines_that_come_and_go_leave_none_behind(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Many recordings begin and end at once, and each is told of while the bars are drawn."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"{number:03d}.wav" for number in range(300)]

    def work(board: Board, mine: list[str]) -> None:
        for name in mine:
            with board.line(name, 100, stage="uploading") as line:
                line.uploaded(50)
                board.say(f"{name}: done", 1)

    # So that threads get into each other's way as they rarely do.
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    request.addfinalizer(lambda: sys.setswitchinterval(before))
    with Board(len(names)) as board:
        threads = [threading.Thread(target=work, args=(board, names[at::12])) for at in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    shown = [line.rstrip() for line in terminal.lines if line.strip()]
    assert sorted(shown) == [f"{name}: done" for name in names]
