"""`rayscribe live` against a real server on loopback; a word is heard each half second."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from configs.settings import LiveSettings
from serve_app.client.commands import app
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.fakes.live import LOUD
from tests.fakes.services import MODEL, live_service, services
from tests.support.running.http_server import running
from tests.support.running.service import free_port


@pytest.fixture
def server(jobs: JobFrontend, request: pytest.FixtureRequest) -> Iterator[str]:
    settings = getattr(request, "param", LiveSettings())
    config = HttpConfig(model=MODEL, admin_key="secret")
    with running(create_app(services(jobs, config=config, live=live_service(settings)))) as address:
        yield address


def run(server: str, audio: bytes, *arguments: str, key: str = "secret") -> Result:
    command = ["live", "-", "--server", server, "--api-key", key, *arguments]
    return CliRunner().invoke(app, command, input=audio)


def pcm(*seconds: float, rate: int = 24_000) -> bytes:
    """So many seconds of speech, of silence, of speech and so on."""
    parts = [np.full(round(s * rate), 0 if i % 2 else LOUD, "<i2") for i, s in enumerate(seconds)]
    return np.concatenate(parts).tobytes()


def test_a_line_is_a_turn(server: str) -> None:
    result = run(server, pcm(2, 1, 1))
    assert result.exit_code == 0, result.output
    assert result.stdout == "w0 w1 w2 w3\nw6 w7\n"


def test_another_rate_and_half_a_sample_at_the_end(server: str) -> None:
    result = run(server, pcm(2, 1, rate=16_000) + b"\1", "--rate", "16000", "--language", "French")
    assert result.stdout == "w0 w1 w2 w3\n"


def test_silence_says_nothing(server: str) -> None:
    result = run(server, pcm(0, 2))
    assert (result.exit_code, result.stdout) == (0, "")
    assert run(server, b"").exit_code == 0


def test_a_wrong_key(server: str) -> None:
    result = run(server, pcm(1), key="other")
    assert result.exit_code == 3
    assert "key" in result.stderr


def test_a_language_that_there_is_not(server: str) -> None:
    result = run(server, pcm(1), "--language", "klingon")
    assert result.exit_code == 3
    assert "klingon" in result.stderr


@pytest.mark.parametrize("server", [LiveSettings(max_session_s=0.3)], indirect=True)
def test_a_session_that_the_service_ends(server: str) -> None:
    result = run(server, pcm(20))
    assert result.exit_code == 5
    assert "A session lasts" in result.stderr


def test_no_service() -> None:
    result = run(f"http://127.0.0.1:{free_port()}", pcm(1))
    assert result.exit_code == 5
    assert "is it running?" in result.stderr


def test_no_microphone(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = CliRunner().invoke(app, ["live", "--server", server, "--api-key", "secret"])
    assert result.exit_code == 2
    assert "pipe" in result.stderr
