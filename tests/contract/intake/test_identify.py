"""`identify`: those who have a voice profile, looked for in every dialect."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from configs.keys import NamedKey, digest, write_keys
from interchange.transcript import Turn
from serve_app.http.services import HttpConfig
from tests.contract.conftest import MakeClient
from tests.fakes.services import MODEL, FakeTranscriber, segment, transcript

FILE = ("speech.wav", b"RIFF....", "audio/wav")
URL = "https://example.com/a.mp3"

ASKED: dict[str, Any] = {
    "openai": lambda client, **more: client.post(
        "/v1/audio/transcriptions",
        data={"model": "whisper-1", "speakers": "true", "identify": "true"} | more,
        files={"file": FILE},
    ),
    "translations": lambda client, **more: client.post(
        "/v1/audio/translations",
        data={"model": "whisper-1", "speakers": "true", "identify": "true"} | more,
        files={"file": FILE},
    ),
    "seed": lambda client, **more: client.post(
        "/", json={"url": URL, "diarise_audio": True, "identify": True} | more
    ),
    "asr": lambda client, **more: client.post(
        "/asr", params={"diarize": "true", "identify": "true"} | more, files={"audio_file": FILE}
    ),
    "jobs": lambda client, **more: client.post(
        "/v1/jobs", json={"url": URL, "speakers": True, "identify": True} | more
    ),
}
SPEAKERS = {"seed": "diarise_audio", "asr": "diarize"}


@pytest.mark.parametrize("dialect", ASKED.keys() - {"jobs"})
def test_a_request_names_the_key_whose_profiles_are_looked_for(
    make_client: MakeClient, transcriber: FakeTranscriber, tmp_path: Path, dialect: str
) -> None:
    key = NamedKey(sha256=digest("secret"), scopes=frozenset({"transcribe"}))
    write_keys(tmp_path / "keys", {"phone": key})
    client = make_client(HttpConfig(model=MODEL, keys_file=tmp_path / "keys"))
    client.headers["x-admin-api-key"] = "secret"
    assert ASKED[dialect](client).status_code == 200
    assert ASKED[dialect](client, identify="false").status_code == 200
    assert [request.identify for request in transcriber.requests] == ["phone", None]


def test_a_job_says_whether_it_looks_for_them(client: TestClient) -> None:
    assert ASKED["jobs"](client).json()["options"]["identify"] is True
    assert ASKED["jobs"](client, identify=False).json()["options"]["identify"] is False


@pytest.mark.parametrize("dialect", ASKED)
def test_it_is_of_use_where_speakers_are_told_apart(
    client: TestClient, transcriber: FakeTranscriber, dialect: str
) -> None:
    speakers = SPEAKERS.get(dialect, "speakers")
    answer = ASKED[dialect](client, **{speakers: "false"})
    assert answer.status_code in (400, 422)
    assert f"'identify' needs '{speakers}' to be true" in answer.text
    assert not transcriber.requests


@pytest.mark.parametrize("dialect", ASKED)
def test_turned_off_it_says_how_to_turn_it_on(
    make_client: MakeClient, transcriber: FakeTranscriber, dialect: str
) -> None:
    answer = ASKED[dialect](make_client(keeps_voices=False))
    assert answer.status_code in (400, 422)
    assert "RAYSCRIBE_SPEAKERS__PROFILES=true" in answer.text
    assert not transcriber.requests


@pytest.mark.parametrize("stream", ["false", "true"])
def test_no_stranger_has_the_letter_that_is_somebodys_name(
    client: TestClient, transcriber: FakeTranscriber, stream: str
) -> None:
    transcriber.result = transcript(
        segment("Hello there.", 0.0, 1.5, "SPEAKER_00"),
        segment("How are you?", 2.0, 3.0, "A"),
        turns=(Turn(0.0, 1.5, "SPEAKER_00"), Turn(2.0, 3.0, "A")),
    )
    transcriber.heard = tuple(replace(each, speaker=None) for each in transcriber.result.segments)
    answer = ASKED["openai"](client, response_format="diarized_json", stream=stream)
    if stream == "true":
        lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
        events = [json.loads(line) for line in lines[:-1]]
        said = [each for each in events if each["type"] == "transcript.text.segment"]
    else:
        said = answer.json()["segments"]
    assert [each["speaker"] for each in said] == ["B", "A"]
