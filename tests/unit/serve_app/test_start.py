import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ray._private import services

from serve_app.start import (
    StartFailed,
    announcement,
    check_port,
    load,
    profile_path,
    stay_on_loopback,
)

ROOT = Path(__file__).parents[3]


def test_a_port_of_the_command_replaces_the_profile_s() -> None:
    profile = load(ROOT / "configs" / "cpu.yaml", 8123)
    assert profile.http_options.port == 8123
    assert profile.http_options.host == "127.0.0.1"
    assert load(ROOT / "configs" / "cpu.yaml", None).http_options.port == 8000


def test_ray_is_not_moved_from_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    before = services.resolve_ip_for_localhost
    monkeypatch.setattr(services, "resolve_ip_for_localhost", before)  # undone at the end
    stay_on_loopback()
    assert services.resolve_ip_for_localhost("127.0.0.1") == "127.0.0.1"


def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(StartFailed, match=r"nowhere\.yaml cannot be read: No such file"):
        load(Path("nowhere.yaml"), None)


@pytest.mark.parametrize("content", ["", "[1, 2]", "applications: 3", "a: [", "text"])
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(content)
    with pytest.raises(StartFailed, match="is not a profile that Serve can use"):
        load(path, 8000)


def test_a_free_port_is_fine_and_a_used_one_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartFailed, match=f"Port {port} of 127.0.0.1 cannot be used"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


@pytest.mark.slow
def test_a_used_port_ends_the_command_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "serve_app.start", "configs/cpu.yaml", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "choose another port: make serve PORT=8001" in done.stderr
    assert "Starting Ray" not in done.stdout


def test_profiles_have_names_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert profile_path("gpu") == ROOT / "configs" / "gpu.yaml"
    (tmp_path / "gpu").touch()
    assert profile_path("gpu") == Path("gpu"), "a file goes before a name"
    assert profile_path("mine.yaml") == Path("mine.yaml")


def test_the_end_names_a_command_that_is_there_and_the_page() -> None:
    *_, command, page = announcement("127.0.0.1", 8000, with_key=False)
    program, *arguments = shlex.split(command)
    assert arguments[:1] == ["transcribe"]
    assert Path(program).is_file() or shutil.which(program)
    assert Path(arguments[1]).is_file()
    assert "--server" not in command
    assert "http://127.0.0.1:8000/" in page


def test_the_command_reaches_the_service_wherever_it_is() -> None:
    text = "\n".join(announcement("0.0.0.0", 9000, with_key=True))
    assert "--server http://127.0.0.1:9000 " in text
    assert '--api-key "$ADMIN_KEY"' in text
