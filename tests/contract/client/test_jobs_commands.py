"""`rayscribe jobs` against a real server on loopback: real jobs, with fake stages behind."""

import asyncio
import io
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response
from typer.testing import CliRunner, Result

from interchange.errors import RecognitionFailed, UndecodableRecording
from interchange.files.blobs import BlobStore
from interchange.stages import UrlSource
from interchange.transcript import Turn
from serve_app.client.commands import app
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.job import Job
from serve_app.jobs.runner.job_try import RetryPolicy
from serve_app.jobs.runner.lease_keeper import LeaseKeeper
from serve_app.jobs.runner.runner import Runner
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.services import MODEL, FakeTranscriber, FakeUploads, services
from tests.fakes.stages import FakeDiarizer, FakeLoader, FakeRecognizer, window
from tests.support.running.http_server import running

KEY = "secret"
URL = "https://example.com/a.mp3"
TEXT = "SPEAKER_00: window 0 window 1\n"


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


class Store:
    """The store that the server uses, from outside: each call with a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/jobs.sqlite"
        self.blobs = BlobStore(f"file://{folder}/blobs")

    def get(self, job_id: str) -> Job:
        async def read() -> Job:
            database = Database(self.url)
            try:
                return await JobStore(database, self.blobs, retention_s=1000).get(job_id)
            finally:
                await database.close()

        return asyncio.run(read())

    @contextmanager
    def runner(
        self, error: Exception | None = None, windows: int = 2, notes: tuple[str, ...] = ()
    ) -> Iterator[None]:
        """A runner in a thread, which works on every job until the block ends."""
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        loader = FakeLoader([window(index) for index in range(windows)], error, notes)
        ended = threading.Thread(target=lambda: loop.run_until_complete(self._run(stop, loader)))
        ended.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            ended.join()
            loop.close()

    async def _run(self, stop: asyncio.Event, loader: FakeLoader) -> None:
        database = Database(self.url)
        leases = Leases(database, self.blobs, lease_s=1000, retention_s=1000, inline_bytes=10**6)
        keeper = LeaseKeeper(leases, "runner", poll_s=0.01, lease_s=1000)
        graph = Transcriber(
            loader,
            FakeRecognizer(),
            FakeDiarizer((Turn(0, 10.0 * len(loader.windows), "SPEAKER_00"),)),
        )
        policy = RetryPolicy(max_attempts=1, delay_s=0.001, poll_s=0.01, lease_s=1000)
        runner = Runner(leases, graph, keeper, "runner", concurrency=2, policy=policy)
        tasks = [asyncio.create_task(runner.run()), asyncio.create_task(keeper.run())]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()


@pytest.fixture
def store(server: str, tmp_path: Path) -> Store:
    return Store(tmp_path / "jobs")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["jobs", *arguments])


def submitted(*arguments: str) -> str:
    result = run("submit", *(arguments or (URL,)))
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


# --------------------------------------------------------------------------- submitting


def test_an_upload(recording: str, store: Store, uploads: FakeUploads) -> None:
    options = "--speakers --max-speakers 3 --language French --prompt Well --words"
    result = run("submit", recording, *options.split())
    assert result.exit_code == 0
    assert result.stderr == ""
    request = store.get(result.stdout.strip()).request
    assert uploads.saved[0][1] == 4000
    assert (request.speakers, request.max_speakers, request.words) == (True, 3, True)
    assert (request.language, request.prompt, request.task) == ("fr", "Well", "transcribe")


def test_a_url_with_a_webhook(store: Store) -> None:
    job = store.get(
        submitted(
            URL, "--translate", "--webhook", "https://a.test/b", "--webhook-header", "X-Key: a:b"
        )
    )
    assert job.request.source == UrlSource(URL)
    assert job.request.task == "translate"
    assert job.webhook is not None
    assert (job.webhook.url, dict(job.webhook.headers)) == ("https://a.test/b", {"X-Key": "a:b"})


def test_an_upload_with_a_webhook(recording: str, store: Store) -> None:
    job = store.get(
        submitted(recording, "--webhook", "https://a.test/b", "--webhook-header", "X: 1")
    )
    assert job.webhook is not None
    assert dict(job.webhook.headers) == {"X": "1"}


def test_a_key_makes_no_second_job(recording: str, store: Store) -> None:
    assert submitted(recording, "--key", "k") == submitted(recording, "--key", "k")
    other = run("submit", recording, "--key", "k", "--words")
    assert other.exit_code == 3
    assert "Idempotency-Key" in other.stderr


@pytest.mark.parametrize("given", ["file", "url"])
def test_waiting_for_the_transcript(
    recording: str, store: Store, given: str, tmp_path: Path
) -> None:
    source = recording if given == "file" else URL
    with store.runner():
        result = run("submit", source, "--speakers", "--wait")
        assert (result.exit_code, result.stdout, result.stderr) == (0, TEXT, "")
        target = tmp_path / "transcript.vtt"
        written = run("submit", source, "--wait", "--format", "vtt", "--output", str(target))
    assert (written.exit_code, written.stdout) == (0, "")
    assert target.read_text(encoding="utf-8").startswith("WEBVTT\n")


def test_what_is_missing_is_said_beside_the_transcript(store: Store) -> None:
    with store.runner(notes=("The file ends early.",)):
        waited = run("submit", URL, "--wait")
        watched = run("watch", submitted(URL))
    for result in (waited, watched):
        assert (result.exit_code, result.stderr) == (0, "rayscribe: The file ends early.\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UndecodableRecording("The recording is not audio."), 3),
        (RecognitionFailed("No window was recognized."), 4),
    ],
)
def test_waiting_for_a_failure(store: Store, error: Exception, code: int) -> None:
    with store.runner(error):
        result = run("submit", URL, "--wait")
    assert result.exit_code == code
    assert result.stdout == ""
    assert str(error) in result.stderr
    assert "rayscribe jobs get" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit", "/no/such/file"],
        ["submit", URL, "--num-speakers", "2"],
        ["submit", URL, "--format", "txt"],
        ["submit", URL, "--output", "a.txt"],
        ["submit", URL, "--wait", "--output", "/no/such/folder/a.txt"],
        ["submit", URL, "--webhook-header", "a: b"],
        ["submit", URL, "--webhook", "https://a.test", "--webhook-header", "a"],
        ["submit", URL, "--server", "ftp://example.com"],
        ["list", "--status", "lost"],
        ["list", "--limit", "0"],
        ["get", "1", "--format", "xml"],
        ["get", "1", "--output", "/no/such/folder/a.txt"],
        ["watch"],
        ["cancel"],
    ],
)
def test_wrong_usage(server: str, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert run("list").stdout == ""


def test_a_refused_option(server: str) -> None:
    result = run("submit", URL, "--language", "klingon")
    assert result.exit_code == 3
    assert "klingon" in result.stderr


# ------------------------------------------------------------------------------ looking


def test_a_list_for_scripts(store: Store) -> None:
    ids = [submitted() for _ in range(3)]
    run("cancel", ids[0])
    lines = [line.split("\t") for line in run("list").stdout.splitlines()]
    assert [line[0] for line in lines] == ids[::-1]
    assert [line[1] for line in lines] == ["queued", "queued", "cancelled"]
    assert datetime.fromisoformat(lines[0][2]).tzinfo is not None
    assert lines[0][3:] == ["0.0/?", "", "a.mp3"]
    assert lines[2][4] == "Task Cancelled"
    assert run("list", "--limit", "2").stdout.count("\n") == 2
    assert run("list", "--status", "cancelled").stdout.startswith(ids[0])


def test_a_list_goes_over_pages(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.client.jobs.api._PAGE", 2)
    ids = [submitted() for _ in range(5)]
    listed = run("list", "--limit", "5").stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == ids[::-1]


def test_how_a_job_stands(store: Store) -> None:
    job_id = submitted()
    result = run("get", job_id)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["status"] == "queued"
    early = run("get", job_id, "--format", "txt")
    assert early.exit_code == 3
    assert "wait for its end" in early.stderr


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("txt", TEXT),
        ("srt", "1\n00:00:00,000 --> "),
        ("vtt", "WEBVTT\n"),
        ("json", '{\n  "task": "transcribe"'),
    ],
)
def test_formats(store: Store, tmp_path: Path, name: str, start: str) -> None:
    job_id = submitted(URL, "--speakers")
    with store.runner():
        assert run("watch", job_id).exit_code == 0
    result = run("get", job_id, "--format", name)
    assert result.stdout.startswith(start)
    target = tmp_path / "transcript"
    assert run("get", job_id, "-f", name, "-o", str(target)).stdout == ""
    assert target.read_text(encoding="utf-8") == result.stdout


@pytest.mark.parametrize("command", ["get", "watch", "cancel", "delete"])
@pytest.mark.parametrize("job_id", ["nobody", "a/b", "日本 ?#", ".."])
def test_an_unknown_job(server: str, command: str, job_id: str) -> None:
    result = run(command, job_id)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("rayscribe: ")


@pytest.mark.parametrize("arguments", [["submit", URL], ["list"], ["get", "1"], ["watch", "1"]])
def test_a_wrong_key(server: str, arguments: list[str]) -> None:
    result = run(*arguments, "--api-key", "wrong")
    assert result.exit_code == 3
    assert "API key" in result.stderr


@pytest.mark.parametrize("arguments", [["submit", URL], ["list"], ["watch", "1"], ["cancel", "1"]])
def test_nobody_there(arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = run(*arguments, "--server", f"127.0.0.1:{port}")
    assert result.exit_code == 5
    assert f"No service answers at http://127.0.0.1:{port}" in result.stderr


# ----------------------------------------------------------------------------- watching


def test_segments_of_a_job(store: Store) -> None:
    job_id = submitted()
    with store.runner():
        first = run("watch", job_id)
    assert first.exit_code == 0
    assert first.stderr == ""
    assert first.stdout == (
        "[00:00:00.0 - 00:00:10.0] window 0\n[00:00:10.0 - 00:00:20.0] window 1\n"
    )
    assert run("watch", job_id).stdout == first.stdout, "an ended job is told again"


def test_watching_a_cancelled_job(server: str) -> None:
    job_id = submitted()
    stopped = run("cancel", job_id)
    assert (stopped.exit_code, stopped.stdout) == (0, f"{job_id}\n")
    result = run("watch", job_id)
    assert result.exit_code == 3
    assert "Task Cancelled" in result.stderr
    again = run("cancel", job_id)
    assert again.exit_code == 3
    assert "has ended already" in again.stderr


def test_speakers_of_a_job(store: Store) -> None:
    """Who speaks is known in the end, and only then goes into a pipe."""
    job_id = submitted(URL, "--speakers", "--speaker-name", "Ann")
    with store.runner():
        result = run("watch", job_id)
    assert result.exit_code == 0
    assert result.stdout == (
        "[00:00:00.0 - 00:00:10.0] Ann: window 0\n[00:00:10.0 - 00:00:20.0] Ann: window 1\n"
    )


def test_removing_jobs(store: Store) -> None:
    ended, live = submitted(), submitted()
    assert run("cancel", ended).exit_code == 0
    result = run("delete", live, "nobody", ended)
    assert (result.exit_code, result.stdout) == (3, f"{ended}\n")
    assert "cancel it first" in result.stderr
    assert "nobody" in result.stderr
    assert [line.split("\t")[0] for line in run("list").stdout.splitlines()] == [live]


def test_notes_of_a_client(recording: str, store: Store) -> None:
    for source in (recording, URL):
        job_id = submitted(source, "--metadata", "call=17", "--metadata", "who=a=b")
        assert json.loads(run("get", job_id).stdout)["metadata"] == {"call": "17", "who": "a=b"}


def _event(name: str, data: Any, event_id: str | None = None) -> str:
    identity = f"id: {event_id}\n" if event_id else ""
    return f": a comment\nevent: {name}\n{identity}data: {json.dumps(data)}\n\n"


def _said(text: str) -> dict[str, Any]:
    return {"start": 0.0, "end": 1.0, "text": text}


class Breaking:
    """A service whose streams break; it is away for one call, and then goes on."""

    def __init__(self, *, goes_on: bool) -> None:
        self.seen: list[str | None] = []
        self.goes_on = goes_on
        self.app = FastAPI()
        self.app.add_api_route("/v1/jobs/{job_id}", self._job)
        self.app.add_api_route("/v1/jobs/{job_id}/events", self._events, response_model=None)

    async def _job(self, job_id: str) -> dict[str, Any]:
        return {"id": job_id, "name": "a", "options": {"speakers": False}, "ended_at": None}

    async def _events(self, request: Request) -> Response:
        self.seen.append(request.headers.get("last-event-id"))
        if len(self.seen) == 2:
            error = {"message": "The job store is away.", "type": "server_error"}
            return JSONResponse({"error": error}, 503)
        return StreamingResponse(self._stream(len(self.seen)), media_type="text/event-stream")

    async def _stream(self, call: int) -> AsyncIterator[str]:
        if call == 1:
            yield _event("progress", {"loaded": 2.0, "recognized": 1.0, "duration": None})
            yield _event("segment", _said("one"), "0.0")
        elif self.goes_on:
            yield _event("segment", _said("two"), "1.0")
            yield _event("completed", {"error": None}, "end")


def test_watching_goes_on_behind_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.client.jobs.api._RECONNECT_S", 0.001)
    service = Breaking(goes_on=True)
    with running(service.app) as address:
        result = run("watch", "1", "--server", address)
    assert result.exit_code == 0
    assert [line.split("] ")[1] for line in result.stdout.splitlines()] == ["one", "two"]
    assert service.seen == [None, "0.0", "0.0"]


def test_a_service_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.client.jobs.api._RECONNECT_S", 0.05)
    service = Breaking(goes_on=False)
    with running(service.app) as address:
        result = run("watch", "1", "--server", address, "--timeout", "1")
    assert result.exit_code == 5
    assert "ended its answer in the middle" in result.stderr


# ---------------------------------------------------------------------------- terminals


@pytest.mark.parametrize("command", ["watch", "submit"])
def test_progress_is_for_terminals(server: str, recording: str, command: str) -> None:
    """Bars under a pseudo-terminal; stdout, a pipe, stays clean; Ctrl-C leaves the job alone."""
    arguments = ["watch", submitted()] if command == "watch" else ["submit", recording, "--wait"]
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "serve_app", "jobs", *arguments],
        stdout=subprocess.PIPE,
        stderr=follower,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(follower)
        shown = io.BytesIO()
        try:
            until = time.monotonic() + 60
            while b"waiting" not in shown.getvalue():
                assert time.monotonic() < until, shown.getvalue()
                assert select.select([leader], [], [], 60)[0], shown.getvalue()
                shown.write(os.read(leader, 4096))
        finally:
            process.send_signal(signal.SIGINT)
        while part := _read(leader):
            shown.write(part)
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(leader)
    assert process.returncode == 130
    assert (b"rayscribe jobs get" in shown.getvalue()) == (command == "submit")
    assert run("list").stdout.split("\t")[1] == "queued"


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux's way to say that the other end was closed
        return b""


@pytest.mark.parametrize("columns", [80, 140])
def test_a_table_on_a_terminal(server: str, columns: int) -> None:
    """Whole ids and names in 80 columns; why jobs failed where there is room."""
    job_id = submitted("https://example.com/%5Bb%5Da.mp3")
    assert run("cancel", job_id).exit_code == 0
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "serve_app", "jobs", "list"],
        stdout=follower,
        env=os.environ | {"TERM": "xterm", "COLUMNS": str(columns)},
    ) as process:
        os.close(follower)
        shown = b""
        while part := _read(leader):
            shown += part
    os.close(leader)
    assert process.returncode == 0
    lines = shown.decode().splitlines()
    (row,) = [line for line in lines if job_id in line]
    assert len(row) <= columns
    assert "cancelled" in row
    assert "[b]a.mp3" in row, "what a client named is no markup"
    assert ("Task Cancelled" in row) == (columns == 140)


def test_help_names_the_exit_codes() -> None:
    for command in ("submit", "list", "watch", "cancel", "delete", "get"):
        assert "5 no service was reached" in run(command, "--help").stdout
