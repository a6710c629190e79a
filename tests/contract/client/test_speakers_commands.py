"""`rayscribe speakers` against a real server on loopback, with fakes behind it."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from interchange.errors import InvalidOption
from interchange.stages import UrlSource, Voice
from serve_app.client.commands import app
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.profiles import ProfileStore
from tests.fakes.services import MODEL, FakeTranscriber, FakeUploads, FakeVoices, services
from tests.support.running.http_server import running

URL = "https://example.com/ann.wav"


@pytest.fixture
def server(
    jobs: JobFrontend,
    database: Database,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    voices: FakeVoices,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    given = services(
        jobs,
        transcriber,
        uploads,
        config=HttpConfig(model=MODEL, voice_model="model"),
        voices=voices,
        profiles=ProfileStore(database),
    )
    with running(create_app(given)) as address:
        monkeypatch.setenv("RAYSCRIBE_SERVER", address)
        yield address


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "ann = anna.wav"
    path.write_bytes(b"RIFF" * 1000)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def speakers(*arguments: str) -> Result:
    return run("speakers", *arguments)


def listed() -> list[list[str]]:
    return [line.split("\t") for line in speakers("list").stdout.splitlines()]


def test_somebody_is_made_known_renamed_and_forgotten(
    server: str, recording: str, voices: FakeVoices, uploads: FakeUploads
) -> None:
    added = speakers("add", "Ann Smith", recording, URL)
    assert added.exit_code == 0, added.stderr
    identity = added.stdout.strip()
    assert listed() == [[identity, "Ann Smith", "2"]]
    assert uploads.saved == [("ann = anna.wav", 4000)]
    assert voices.asked[1][0] == UrlSource(URL)
    assert speakers("rename", "ann smith", "Bo").exit_code == 0
    assert speakers("learn", "Bo", recording, URL).exit_code == 0
    assert listed() == [[identity, "Bo", "4"]]
    assert speakers("learn", "Bo", URL).exit_code == 0
    assert listed() == [[identity, "Bo", "5"]]
    assert speakers("add", "Cy", recording).exit_code == 0
    assert speakers("remove", identity, "Cy").exit_code == 0
    assert listed() == []


def test_what_the_service_refuses(server: str, recording: str, voices: FakeVoices) -> None:
    for refused in (speakers("rename", "Ann", "Bo"), speakers("remove", "Ann")):
        assert (refused.exit_code, refused.stdout) == (3, "")
        assert "Nobody is known as 'Ann'" in refused.stderr
    voices.error = InvalidOption("Nobody speaks.", "file")
    assert "Nobody speaks." in speakers("add", "Ann", recording).stderr
    assert speakers("add", "Ann", "/no/such/file").exit_code == 2


def test_the_id_says_who_of_several(server: str, recording: str, tmp_path: Path) -> None:
    async def somebody_elses() -> None:
        database = Database(f"sqlite:///{tmp_path}/jobs/jobs.sqlite")
        await ProfileStore(database, "phone").add(Voice("Ann", ((1.0, 0.0),), "another"))
        await database.close()

    asyncio.run(somebody_elses())
    identity = speakers("add", "Ann", recording).stdout.strip()
    several = speakers("remove", "Ann")
    assert several.exit_code == 3
    assert identity in several.stderr
    assert speakers("remove", identity).exit_code == 0
    left = speakers("list")
    assert left.stdout.count("Ann") == 1
    assert "'Ann' was learned by another model" in left.stderr


def test_voices_go_along_with_a_recording(
    server: str, recording: str, transcriber: FakeTranscriber, uploads: FakeUploads
) -> None:
    known = ["--known-speaker", f"Ann={recording}", "--known-speaker", f"Bo={URL}"]
    for source in (recording, "https://example.com/call.mp3"):
        result = run("transcribe", source, "--speakers", "--identify", *known)
        assert result.exit_code == 0, result.stderr
    for request in transcriber.requests:
        assert [voice.name for voice in request.known_speakers] == ["Ann", "Bo"]
        assert request.identify == ""
    assert transcriber.requests[1].source == UrlSource("https://example.com/call.mp3")
    assert ("reference", 4000) in uploads.saved


def test_more_than_a_small_form_holds_goes_along_with_an_address(
    server: str, tmp_path: Path, transcriber: FakeTranscriber, uploads: FakeUploads
) -> None:
    large = tmp_path / "bo.wav"
    large.write_bytes(b"R" * 2**20)
    result = run("transcribe", URL, "--speakers", "--known-speaker", f"Bo={large}")
    assert result.exit_code == 0, result.stderr
    assert uploads.saved == [("reference", 2**20)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["{file}", "--identify"],
        ["{file}", "--known-speaker", "Ann={file}"],
        ["{file}", "--speakers", "--known-speaker", "Ann"],
        ["{file}", "--speakers", "--known-speaker", "={file}"],
        ["{file}", "--speakers", "--known-speaker", "Ann="],
        ["{file}", "--speakers", "--known-speaker", "Ann=/no/such/file"],
        ["{file}", "--speakers", "--translate", "--known-speaker", "Ann={file}"],
    ],
)
def test_wrong_usage(
    server: str, recording: str, transcriber: FakeTranscriber, arguments: list[str]
) -> None:
    result = run("transcribe", *[each.replace("{file}", recording) for each in arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert not transcriber.requests


def test_a_job_takes_them_too(server: str, recording: str) -> None:
    known = ["--known-speaker", f"Ann={recording}", "--known-speaker", f"Ann={URL}"]
    submitted = run("jobs", "submit", recording, "--speakers", "--identify", *known)
    assert submitted.exit_code == 0, submitted.stderr
    shown = run("jobs", "get", submitted.stdout.strip()).stdout
    assert '"identify": true' in shown
    assert base64.b64encode(b"RIFF").decode() not in shown
