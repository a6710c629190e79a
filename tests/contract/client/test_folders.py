"""Many recordings by one command, against a real server on loopback with fakes behind it."""

import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from interchange.errors import QueueFull, RecognitionFailed, UndecodableRecording
from interchange.stages import BlobSource
from serve_app.client.commands import app
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.transcription.events import Event
from serve_app.transcription.request import TranscriptionRequest
from tests.fakes.services import DIALOGUE, MODEL, FakeTranscriber, FakeUploads, services
from tests.support.running.http_server import running

TEXT = "SPEAKER_00: Hello there.\nSPEAKER_01: How are you?\n"


@dataclass
class Choosy(FakeTranscriber):
    """Fails recordings by their names, and is busy for the first requests."""

    busy: int = 0
    seen: list[str] = field(default_factory=list)

    async def transcribe(self, request: TranscriptionRequest) -> AsyncGenerator[Event, None]:
        assert isinstance(request.source, BlobSource)
        self.seen.append(request.source.name)
        self.error = None
        if self.busy:
            self.busy -= 1
            self.error = QueueFull("Too much audio waits.")
        elif "broken" in request.source.name:
            self.error = UndecodableRecording("The recording is not audio.")
        elif "unlucky" in request.source.name:
            self.error = RecognitionFailed("No window was recognized.")
        async for event in super().transcribe(request):
            yield event


@pytest.fixture
def transcriber() -> Choosy:
    return Choosy(result=DIALOGUE)


@pytest.fixture
def server(
    jobs: JobFrontend, transcriber: Choosy, uploads: FakeUploads, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    config = HttpConfig(model=MODEL, admin_key="secret")
    with running(create_app(services(jobs, transcriber, uploads, config=config))) as address:
        monkeypatch.setenv("RAYSCRIBE_SERVER", f"{address}/v1/")
        monkeypatch.setenv("RAYSCRIBE_API_KEY", "secret")
        yield address


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    for name in ("a.mp3", "b.wav", "late/a.MP3", "notes.md", ".hidden.mp3", "late/.x/c.mp3"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["transcribe", "--speakers", *map(str, arguments)])


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder(server: str, calls: Path, tmp_path: Path, transcriber: Choosy) -> None:
    """Recordings of the folder and of those below; each in every format, from one request."""
    out = tmp_path / "new" / "out"
    result = run(calls, "-d", out, "-f", "txt", "-f", "srt", "-f", "json", "--words")
    assert (result.exit_code, result.stdout) == (0, "")
    assert files(out) == {
        f"{name}.{form}" for name in ("a", "b", "late/a") for form in ("txt", "srt", "json")
    }
    assert (out / "late" / "a.txt").read_text() == TEXT
    assert json.loads((out / "b.json").read_text())["words"][0]["speaker"] == "SPEAKER_00"
    assert len(transcriber.seen) == 3
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    assert lines[-1] == "3 recordings: 3 done."


def test_what_is_there_is_not_made_again(
    server: str, calls: Path, tmp_path: Path, transcriber: Choosy
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.txt").write_text("mine")
    result = run(calls / "a.mp3", calls / "b.wav", "-d", out)
    assert result.stderr.splitlines()[-1] == "2 recordings: 1 skipped, 1 done."
    assert transcriber.seen == ["b.wav"]
    assert (out / "a.txt").read_text() == "mine"
    run(calls / "a.mp3", "-d", out, "-f", "txt", "-f", "vtt")
    assert files(out) == {"a.txt", "a.vtt", "b.txt"}
    assert (out / "a.txt").read_text() == "mine", "only what was missing is written"
    assert run(calls / "a.mp3", "-d", out, "--force").exit_code == 0
    assert (out / "a.txt").read_text() == TEXT


@pytest.mark.parametrize("at_once", ["1", "3"])
def test_a_failure_stops_none_but_its_own(
    server: str, tmp_path: Path, at_once: str, transcriber: Choosy
) -> None:
    for name in ("a.wav", "broken.wav", "c.wav", "unlucky.wav", "e.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "e.txt").mkdir()
    arguments = ["--force", "--jobs", at_once]
    result = run(tmp_path / "*.wav", "-d", tmp_path / "out", *arguments)
    assert result.exit_code in ({3} if at_once == "1" else {2, 3, 4})
    assert result.stderr.splitlines()[-1] == "5 recordings: 2 done, 3 failed." or at_once == "3"
    assert "broken.wav: failed. The recording is not audio.\n" in result.stderr
    assert "unlucky.wav: failed. No window was recognized.\n" in result.stderr
    assert "e.wav: failed. " in result.stderr
    assert files(tmp_path / "out") == {"a.txt", "c.txt"}


def test_a_wrong_key_is_met_once(server: str, calls: Path, tmp_path: Path) -> None:
    result = run(calls, "-d", tmp_path / "out", "--api-key", "wrong", "--jobs", "1")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1] == "3 recordings: 1 failed, 2 not tried."


def test_a_busy_service_is_asked_again(
    server: str, calls: Path, tmp_path: Path, transcriber: Choosy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QueueFull, "retry_after", 0, raising=False)
    transcriber.busy = 1
    result = run(calls / "a.mp3", "-d", tmp_path / "out")
    assert result.exit_code == 0
    assert transcriber.seen == ["a.mp3", "a.mp3"]


def test_a_pipe(
    server: str, uploads: FakeUploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "delete", _keep)
    content = b"RIFF" * 50_000
    result = CliRunner().invoke(app, ["transcribe", "-"], input=content)
    assert (result.exit_code, result.stdout) == (0, TEXT)
    assert uploads.saved == [("stdin", 200_000)]
    assert uploads.kept["blob-0"] == content


async def _keep(source: BlobSource) -> None:
    pass


def test_names_for_speakers(server: str, calls: Path, transcriber: Choosy) -> None:
    assert run(calls / "a.mp3", "--speaker-name", "Ann", "--speaker-name", "Bo").exit_code == 0
    assert transcriber.requests[0].speaker_names == ("Ann", "Bo")


def test_a_folder_without_recordings(server: str, tmp_path: Path) -> None:
    result = run(tmp_path, "-d", tmp_path / "out")
    assert result.exit_code == 2
    assert "no recording in the folder" in " ".join(result.stderr.replace("│", " ").split())


def test_a_folder_is_no_recording_of_a_job(server: str, calls: Path) -> None:
    result = CliRunner().invoke(app, ["jobs", "submit", str(calls)])
    assert result.exit_code == 2
    assert "is a folder" in " ".join(result.stderr.replace("│", " ").split())


def test_models(server: str) -> None:
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    first, *aliases = result.stdout.splitlines()
    assert first == MODEL
    assert "whisper-1" in aliases
    result = CliRunner().invoke(app, ["models", "--api-key", "wrong"])
    assert result.exit_code == 3


class TestConfiguration:
    @pytest.fixture
    def config(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in ("RAYSCRIBE_SERVER", "RAYSCRIBE_API_KEY"):
            monkeypatch.delenv(name)
        path = tmp_path / "rayscribe" / "config.toml"
        path.parent.mkdir()
        monkeypatch.setattr("serve_app.client.config.path", lambda: path)
        return path

    def test_a_file_names_the_service(
        self, server: str, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config.write_text(f'server = "{server}/v1"\napi_key = "secret"\n')
        for command in (["models"], ["jobs", "list"]):
            assert CliRunner().invoke(app, command).exit_code == 0
        monkeypatch.setenv("RAYSCRIBE_API_KEY", "wrong")
        assert CliRunner().invoke(app, ["models"]).exit_code == 3, "a variable goes before it"
        chosen = CliRunner().invoke(app, ["models", "--api-key", "secret"])
        assert chosen.exit_code == 0, "an option goes before both"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("server = ", "cannot be read"),
            ("sever = 'a'", "unknown key 'sever'"),
            ("server = 8000", "no text as server"),
        ],
    )
    def test_a_file_that_is_wrong(
        self, server: str, config: Path, content: str, sentence: str
    ) -> None:
        config.write_text(content)
        result = CliRunner().invoke(app, ["models"])
        assert result.exit_code == 2
        assert sentence in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/fd")
def test_a_pipe_by_its_path(server: str, tmp_path: Path, uploads: FakeUploads) -> None:
    """What a shell makes of <(ffmpeg …)."""
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"RIFF" * 10))
    writer.start()
    result = run(path)
    writer.join()
    assert result.exit_code == 0
    assert uploads.saved == [("pipe.wav", 40)]


def test_help_has_no_types_of_switches() -> None:
    for command in (["transcribe"], ["jobs", "submit"], []):
        text = CliRunner().invoke(app, [*command, "--help"]).stdout
        assert "<bool>" not in text


def test_completion_is_offered() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout
