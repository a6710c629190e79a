"""whisper-asr-webservice's API, as its clients speak it."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from interchange.errors import QueueFull, UndecodableRecording
from interchange.stages import BlobSource, RecognitionOptions, Window
from interchange.transcript import WindowTranscript
from serve_app.http.app import create_app
from serve_app.http.asr.pcm import HEADER
from serve_app.jobs.frontend import JobFrontend
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.services import (
    DIALOGUE,
    SILENCE,
    TRUNCATED,
    FakeTranscriber,
    FakeUploads,
    services,
)
from tests.fakes.stages import FakeDiarizer, FakeLoader, FakeRecognizer, window, words_of

FILE = ("Ein Film.mkv", b"....", "application/octet-stream")


def asr(client: TestClient, **query: Any) -> httpx2.Response:
    return client.post("/asr", params=query, files={"audio_file": FILE})


def test_text_is_the_default(
    client: TestClient, transcriber: FakeTranscriber, uploads: FakeUploads
) -> None:
    answer = asr(client)
    assert answer.status_code == 200
    assert answer.text == "Hello there. How are you?\n"
    assert answer.headers["asr-engine"] == "rayscribe"
    assert answer.headers["content-disposition"].endswith("Ein%20Film.mkv.txt")
    request = transcriber.requests[0]
    assert request.source == BlobSource("blob-0", "Ein Film.mkv")
    assert (request.task, request.language, request.words) == ("transcribe", None, False)
    assert uploads.saved
    assert not uploads.kept


def test_as_bazarr_asks(
    client: TestClient, transcriber: FakeTranscriber, uploads: FakeUploads
) -> None:
    answer = asr(
        client,
        task="translate",
        language="de",
        output="srt",
        encode="false",
        video_file="/films/Ein Film.mkv",
    )
    assert answer.text.startswith("1\n00:00:00,000 --> 00:00:03,250\nHello there. How are you?\n")
    request = transcriber.requests[0]
    assert (request.task, request.language, request.words) == ("translate", "de", True)
    assert uploads.saved[0][1] == len(HEADER) + len(FILE[1])


def test_a_file_is_left_as_it_is_where_it_has_a_format(
    client: TestClient, uploads: FakeUploads
) -> None:
    asr(client, encode="true")
    assert uploads.saved[0][1] == len(FILE[1])


@pytest.mark.parametrize(
    ("output", "kind", "start"),
    [
        ("vtt", "text/vtt", "WEBVTT\n\n00:00:00.000 --> "),
        ("tsv", "text/tab-separated-values", "start\tend\ttext\n0\t1500\tHello there.\n2000\t"),
    ],
)
def test_files(client: TestClient, output: str, kind: str, start: str) -> None:
    answer = asr(client, output=output)
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.text.startswith(start)


def test_json(client: TestClient, transcriber: FakeTranscriber) -> None:
    body = asr(client, output="json").json()
    assert body["text"] == " Hello there. How are you?"
    assert body["language"] == "en"
    assert [part["id"] for part in body["segments"]] == [0, 1]
    assert body["segments"][1]["start"] == 2.0
    assert "words" not in body["segments"][0]
    assert not transcriber.requests[0].words
    body = asr(client, output="json", word_timestamps="true").json()
    assert body["segments"][0]["words"][1] == {
        "word": " there.",
        "start": 0.75,
        "end": 1.5,
        "probability": 0.9,
    }
    assert transcriber.requests[1].words


def test_speakers(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    query = {"diarize": "true", "min_speakers": "2", "max_speakers": "3"}
    body = asr(client, output="json", word_timestamps="true", **query).json()
    assert [part["speaker"] for part in body["segments"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert body["segments"][1]["words"][0]["speaker"] == "SPEAKER_01"
    request = transcriber.requests[0]
    assert (request.speakers, request.min_speakers, request.max_speakers) == (True, 2, 3)
    assert "\tSPEAKER_01: How are you?\n" in asr(client, output="tsv", **query).text


def test_the_prompt(client: TestClient, transcriber: FakeTranscriber) -> None:
    asr(client, initial_prompt="As I said")
    assert transcriber.requests[0].prompt == "As I said"


def test_what_is_missing_is_said(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = TRUNCATED
    (note,) = TRUNCATED.quality.notes
    assert asr(client, output="json").json()["notes"] == [note]
    assert asr(client).headers["x-rayscribe-notes"] == note


def test_silence(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = SILENCE
    assert asr(client).text == ""
    assert asr(client, output="tsv").text == "start\tend\ttext\n"


@pytest.mark.parametrize(
    "query",
    [{"output": "xml"}, {"task": "sing"}, {"language": "klingon"}, {"encode": "perhaps"}],
)
def test_bad_options(
    client: TestClient, transcriber: FakeTranscriber, query: dict[str, str]
) -> None:
    answer = asr(client, **query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", *query]
    assert not transcriber.requests


@pytest.mark.parametrize("path", ["/asr", "/detect-language"])
def test_a_recording_is_required(client: TestClient, path: str) -> None:
    answer = client.post(path, files={"file": FILE})
    assert answer.status_code == 422
    assert "'audio_file'" in answer.json()["detail"]
    assert client.post(path, json={}).status_code == 415


@pytest.mark.parametrize(
    ("error", "status"), [(UndecodableRecording("No audio."), 400), (QueueFull("Full.", 3), 429)]
)
def test_errors(
    client: TestClient, transcriber: FakeTranscriber, error: QueueFull, status: int
) -> None:
    transcriber.error = error
    for path in ("/asr", "/detect-language"):
        answer = client.post(path, files={"audio_file": FILE})
        assert (answer.status_code, answer.json()) == (status, {"detail": error.message})


# ---------------------------------------------------------------------- detect-language


def detect(jobs: JobFrontend, recognizer: FakeRecognizer, windows: int = 3) -> Any:
    loader = FakeLoader([window(index) for index in range(windows)])
    fakes = services(jobs)
    over_stages = replace(fakes, transcriber=Transcriber(loader, recognizer, FakeDiarizer()))
    with TestClient(create_app(over_stages)) as client:
        answer = client.post(
            "/detect-language", params={"encode": "false"}, files={"audio_file": FILE}
        )
    assert answer.status_code == 200
    assert loader.closed
    return answer.json()


def spoken_in(language: str) -> FakeRecognizer:
    def recognize(window: Window, options: RecognitionOptions) -> WindowTranscript:
        said = words_of(window, options)
        if window.index == 0:
            return WindowTranscript(0, said.start, said.end, (), "en", (("en", 0.4),))
        probabilities = ((language, 0.75), ("en", 0.1))
        return WindowTranscript(
            window.index, said.start, said.end, said.segments, language, probabilities
        )

    return FakeRecognizer(recognize)


def test_the_language_is_that_of_the_first_words(jobs: JobFrontend) -> None:
    assert detect(jobs, spoken_in("de")) == {
        "detected_language": "german",
        "language_code": "de",
        "confidence": 0.75,
    }


def test_nobody_speaks_no_language(jobs: JobFrontend) -> None:
    assert detect(jobs, FakeRecognizer(), windows=0) == {
        "detected_language": "unknown",
        "language_code": "und",
        "confidence": 0.0,
    }
