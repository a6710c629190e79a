import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.session_folder import FolderRefused, session_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    before = os.umask(0o022)
    yield tmp_path / f"rayscribe-{os.getuid()}"
    os.umask(before)


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_made_in_a_session_is_its_users_alone(place: Path) -> None:
    with session_folder() as folder:
        (folder / "logs").mkdir()
        (folder / "logs" / "a.log").write_text("a")
        assert folder.parent == place
        assert {rights(path) for path in (place, folder, folder / "logs")} == {0o700}
        assert rights(folder / "logs" / "a.log") == 0o600


def test_the_next_start_removes_what_a_crash_has_left(place: Path) -> None:
    with session_folder() as crashed:
        (crashed / "spilled").write_bytes(b"a recording")
    assert crashed.exists()  # its logs may be asked for
    with session_folder() as one, session_folder() as other:
        assert not crashed.exists()
        assert one.exists()
        assert other.exists()


def test_a_folder_that_somebody_else_made_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderRefused, match="somebody else"), session_folder():
        pass


def test_rays_token_is_not_for_everybody(tmp_path: Path) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    assert rights(token) == 0o644
    with session_folder():
        assert rights(token) == 0o600
