"""The command line against a real server on loopback, with fakes behind it."""

import io
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from interchange.errors import QueueFull, RecognitionFailed, UndecodableRecording
from interchange.stages import UrlSource
from serve_app.client.commands import app
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.fakes.services import DIALOGUE, MODEL, TRUNCATED, FakeTranscriber, FakeUploads, services
from tests.support.running.http_server import running

KEY = "secret"


@pytest.fixture
def server(
    jobs: JobFrontend,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    config = HttpConfig(model=MODEL, admin_key=KEY, max_upload_bytes=2**20)
    with running(create_app(services(jobs, transcriber, uploads, config=config))) as address:
        monkeypatch.setenv("RAYSCRIBE_SERVER", address)
        monkeypatch.setenv("RAYSCRIBE_API_KEY", KEY)
        yield address


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / 'fähre 日本語 & "quote".wav'
    path.write_bytes(b"RIFF" * 1000)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["transcribe", *arguments])


def test_text_of_a_file(server: str, recording: str, uploads: FakeUploads) -> None:
    result = run(recording)
    assert result.exit_code == 0
    assert result.stdout == "Hello there. How are you?\n"
    assert result.stderr == ""
    assert uploads.saved[0][1] == 4000


def test_what_is_missing_is_said_beside_the_text(
    server: str, recording: str, transcriber: FakeTranscriber
) -> None:
    transcriber.result = TRUNCATED
    result = run(recording)
    assert result.exit_code == 0
    assert result.stderr == f"rayscribe: {TRUNCATED.quality.notes[0]}\n"


def test_a_url_is_fetched_by_the_service(server: str, transcriber: FakeTranscriber) -> None:
    assert run("https://example.com/a.mp3").exit_code == 0
    assert transcriber.requests[0].source == UrlSource("https://example.com/a.mp3")


def test_options(server: str, recording: str, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    options = "--speakers --max-speakers 3 --language French --prompt Well --format json --words"
    result = run(recording, *options.split())
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["words"][0]["word"] == "Hello"
    assert document["segments"][1]["speaker"] == "SPEAKER_01"
    request = transcriber.requests[0]
    assert (request.speakers, request.max_speakers, request.words) == (True, 3, True)
    assert (request.language, request.prompt, request.task) == ("fr", "Well", "transcribe")


def test_translate(server: str, recording: str, transcriber: FakeTranscriber) -> None:
    assert run(recording, "--translate", "--speakers").exit_code == 0
    assert transcriber.requests[0].task == "translate"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("txt", "SPEAKER_00: Hello there.\nSPEAKER_01: How are you?\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,500\nSPEAKER_00: Hello there.\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<v SPEAKER_00>Hello there.</v>\n"),
        ("json", '{\n  "task": "transcribe"'),
    ],
)
def test_formats(
    server: str,
    recording: str,
    transcriber: FakeTranscriber,
    tmp_path: Path,
    name: str,
    start: str,
) -> None:
    transcriber.result = DIALOGUE
    result = run(recording, "--speakers", "-f", name)
    assert result.stdout.startswith(start)
    target = tmp_path / "transcript"
    written = run(recording, "--speakers", "-f", name, "-o", str(target))
    assert written.exit_code == 0
    assert written.stdout == ""
    assert target.read_text(encoding="utf-8") == result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["/no/such/file"],
        ["{file}", "--format", "xml"],
        ["{file}", "--words"],
        ["{file}", "--format", "txt", "--format", "srt"],
        ["{file}", "{file}/../..", "--output", "a.txt"],
        ["{file}", "--output", "a.txt", "--output-dir", "b"],
        ["{file}", "--force"],
        ["{file}", "--speaker-name", "Ann"],
        ["{file}", "--output-dir", "a", "--jobs", "0"],
        ["{file}", "--num-speakers", "2"],
        ["{file}", "--output", "/no/such/folder/a.txt"],
        ["{file}", "--server", "ftp://example.com"],
        [],
    ],
)
def test_wrong_usage(
    server: str, recording: str, transcriber: FakeTranscriber, arguments: list[str]
) -> None:
    result = run(*[argument.replace("{file}", recording) for argument in arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not transcriber.requests


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UndecodableRecording("The recording is not audio."), 3),
        (RecognitionFailed("No window was recognized."), 4),
        (QueueFull("Too much audio waits."), 6),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_failures(
    server: str,
    recording: str,
    transcriber: FakeTranscriber,
    error: UndecodableRecording | RecognitionFailed | QueueFull,
    code: int,
    late: bool,
) -> None:
    if late:
        transcriber.late_error = error
    else:
        transcriber.error = error
    result = run(recording)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr == f"rayscribe: {error.message}\n"


def test_a_refused_option(server: str, recording: str) -> None:
    result = run(recording, "--language", "klingon")
    assert result.exit_code == 3
    assert "klingon" in result.stderr


def test_a_wrong_key(server: str, recording: str) -> None:
    result = run(recording, "--api-key", "wrong")
    assert result.exit_code == 3
    assert "API key" in result.stderr


def test_a_recording_over_the_limit(server: str, tmp_path: Path, uploads: FakeUploads) -> None:
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.truncate(64 * 2**20)
    result = run(str(path))
    assert result.exit_code == 3
    assert "1048576 bytes" in result.stderr
    assert not uploads.saved


def test_nobody_there(recording: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = run(recording, "--server", f"127.0.0.1:{port}")
    assert result.exit_code == 5
    assert f"No service answers at http://127.0.0.1:{port}" in result.stderr


def test_a_service_that_is_silent(
    server: str, recording: str, transcriber: FakeTranscriber
) -> None:
    transcriber.forever = True
    result = run(recording, "--timeout", "1")
    assert result.exit_code == 5
    assert "silent for too long" in result.stderr


def test_help_names_the_exit_codes() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "5 no service was reached" in result.stdout


def test_progress_is_for_terminals(
    server: str, recording: str, transcriber: FakeTranscriber
) -> None:
    """A program under a pseudo-terminal shows bars there; its stdout, a pipe, stays clean."""
    transcriber.forever = True
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "serve_app", "transcribe", recording],
        stdout=subprocess.PIPE,
        stderr=follower,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(follower)
        shown = io.BytesIO()
        try:
            until = time.monotonic() + 60
            while b"words" not in shown.getvalue():
                assert time.monotonic() < until, shown.getvalue()
                assert select.select([leader], [], [], 60)[0], shown.getvalue()
                shown.write(os.read(leader, 4096))
        finally:
            process.send_signal(signal.SIGINT)
        while _readable(leader):
            pass
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(leader)
    assert process.returncode == 130


def _readable(descriptor: int) -> bool:
    try:
        return bool(os.read(descriptor, 4096))
    except OSError:  # Linux's way to say that the other end was closed
        return False
