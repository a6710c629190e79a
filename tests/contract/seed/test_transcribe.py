"""insanely-fast-whisper-api's dialect, synchronous half."""

import json
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from interchange.stages import UrlSource
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.contract.conftest import MakeClient
from tests.fakes.services import (
    DIALOGUE,
    MODEL,
    SILENCE,
    SILENCE_WITH_SPEAKERS,
    TRUNCATED,
    FakeTranscriber,
)

URL = "https://example.com/a.mp3"


def post(client: TestClient, **options: Any) -> Any:
    return client.post("/", json={"url": URL} | options)


def test_chunks_are_segments(client: TestClient) -> None:
    answer = post(client)
    assert answer.status_code == 200
    body = answer.json()
    assert UUID(body.pop("task_id")).version == 4
    assert body == {
        "output": {
            "text": " Hello there. How are you?",
            "chunks": [
                {"timestamp": [0.0, 1.5], "text": " Hello there."},
                {"timestamp": [2.0, 3.25], "text": " How are you?"},
            ],
        },
        "status": "completed",
    }


def test_words(client: TestClient, transcriber: FakeTranscriber) -> None:
    chunks = post(client, timestamp="word").json()["output"]["chunks"]
    assert [chunk["text"] for chunk in chunks] == [" Hello", " there.", " How", " are", " you?"]
    assert chunks[0]["timestamp"] == [0.0, 0.75]
    assert transcriber.requests[0].words


@pytest.mark.parametrize("timestamp", ["chunk", "work", "WORD", "words", ""])
def test_any_other_timestamp_means_chunk(
    client: TestClient, transcriber: FakeTranscriber, timestamp: str
) -> None:
    assert len(post(client, timestamp=timestamp).json()["output"]["chunks"]) == 2
    assert not transcriber.requests[0].words


def test_speakers(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    output = post(client, diarise_audio=True).json()["output"]
    assert output["speakers"] == [
        {"timestamp": [0.0, 1.5], "text": " Hello there.", "speaker": "SPEAKER_00"},
        {"timestamp": [2.0, 3.25], "text": " How are you?", "speaker": "SPEAKER_01"},
    ]
    assert transcriber.requests[0].speakers


def test_speakers_word_by_word(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    output = post(client, diarise_audio=True, timestamp="word").json()["output"]
    assert [entry["speaker"] for entry in output["speakers"]] == ["SPEAKER_00"] * 2 + [
        "SPEAKER_01"
    ] * 3
    assert [entry["text"] for entry in output["speakers"]] == [
        chunk["text"] for chunk in output["chunks"]
    ]


def test_speakers_are_left_out_unless_asked_for(client: TestClient) -> None:
    assert "speakers" not in post(client).json()["output"]


def test_nobody_speaks(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = SILENCE
    assert post(client).json()["output"] == {"text": "", "chunks": []}
    transcriber.result = SILENCE_WITH_SPEAKERS
    output = post(client, diarise_audio=True).json()["output"]
    assert output == {"text": "", "chunks": [], "speakers": []}


def test_defaults(client: TestClient, transcriber: FakeTranscriber) -> None:
    post(client)
    request = transcriber.requests[0]
    assert request.source == UrlSource(URL)
    assert (request.task, request.language, request.batch_size) == ("transcribe", None, 64)
    assert not request.words
    assert not request.speakers
    assert request.priority == "interactive"


def test_null_means_the_default(client: TestClient, transcriber: FakeTranscriber) -> None:
    answer = post(
        client,
        task=None,
        language=None,
        batch_size=None,
        timestamp=None,
        diarise_audio=None,
        webhook=None,
        is_async=None,
        managed_task_id=None,
        num_speakers=None,
    )
    assert answer.status_code == 200
    assert transcriber.requests[0].batch_size == 64


def test_null_is_no_url(client: TestClient) -> None:
    answer = post(client, url=None)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "url"]
    assert answer.json()["detail"][0]["type"] == "string_type"


def test_numbers_may_be_strings(client: TestClient, transcriber: FakeTranscriber) -> None:
    answer = post(client, batch_size="8", diarise_audio="true", max_speakers="4")
    assert answer.status_code == 200
    request = transcriber.requests[0]
    assert (request.batch_size, request.speakers, request.max_speakers) == (8, True, 4)


def test_unknown_keys_are_ignored(client: TestClient) -> None:
    assert post(client, flavour="vanilla").status_code == 200


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("None", None),
        ("none", None),
        ("auto", None),
        ("", None),
        ("fr", "fr"),
        ("FR", "fr"),
        ("French", "fr"),
        ("yue", "yue"),
        ("castilian", "es"),
        ("haitian creole", "ht"),
    ],
)
def test_languages(
    client: TestClient, transcriber: FakeTranscriber, language: str, code: str | None
) -> None:
    assert post(client, language=language).status_code == 200
    assert transcriber.requests[0].language == code


def test_speaker_bounds(client: TestClient, transcriber: FakeTranscriber) -> None:
    post(client, diarise_audio=True, num_speakers=3, min_speakers=2, max_speakers=4)
    request = transcriber.requests[0]
    assert (request.num_speakers, request.min_speakers, request.max_speakers) == (3, 2, 4)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("task", "summarise"),
        ("task", 3),
        ("language", "klingon"),
        ("language", 5),
        ("batch_size", 0),
        ("batch_size", -1),
        ("batch_size", "many"),
        ("batch_size", 1.5),
        ("timestamp", 7),
        ("diarise_audio", "perhaps"),
        ("is_async", "perhaps"),
        ("webhook", "https://example.com"),
        ("webhook", {}),
        ("managed_task_id", 9),
        ("num_speakers", 0),
    ],
)
def test_bad_values_are_422_in_fastapis_shape(
    client: TestClient, transcriber: FakeTranscriber, option: str, value: Any
) -> None:
    answer = post(client, **{option: value})
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"][:2] == ["body", option]
    assert {"type", "loc", "msg", "input"} <= set(error)
    assert not transcriber.requests


@pytest.mark.parametrize(
    "task_id",
    ["a/b", "a\\b", "a?b", "a#b", "50%", "a%2Fb", ".", "..", "a\nb", "a\0", "x" * 256],
)
def test_an_id_that_cannot_stand_in_a_path_is_refused(
    client: TestClient, transcriber: FakeTranscriber, task_id: str
) -> None:
    body = json.dumps({"url": "https://example.com/a.mp3", "managed_task_id": task_id})
    answer = client.post("/", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "managed_task_id"]
    assert "characters" in error["msg"]
    assert not transcriber.requests


@pytest.mark.parametrize("task_id", ["my task", "a.b-c_d~e:f@g", "задача 1", "👩‍🔬", "..."])
def test_an_id_that_a_path_carries_is_found_again(client: TestClient, task_id: str) -> None:
    assert post(client, managed_task_id=task_id).json()["task_id"] == task_id
    assert client.get(f"/status/{quote(task_id, safe='')}").status_code == 200


@pytest.mark.parametrize(
    "url",
    ["", "ws://a.test", "file:///etc/passwd", "a.test/hook", "http://", "http://a b/", "ftp://a"],
)
@pytest.mark.parametrize("is_async", [True, False])
def test_a_webhook_that_is_no_address_is_refused(
    client: TestClient, transcriber: FakeTranscriber, url: str, is_async: bool
) -> None:
    answer = post(client, is_async=is_async, webhook={"url": url})
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "webhook", "url"]
    assert "no address that a webhook can be sent to" in error["msg"]
    assert not transcriber.requests


@pytest.mark.parametrize(
    "url",
    [
        "https://a.test/Hook?token=A%2fb#x",
        "HTTP://127.0.0.1:8080",
        "http://[::1]/",
        "http://ä.test",
    ],
)
def test_a_webhook_keeps_its_spelling(client: TestClient, jobs: JobFrontend, url: str) -> None:
    answer = post(client, is_async=True, webhook={"url": f" {url} "})
    assert client.portal is not None
    job = client.portal.call(jobs.store.task, answer.json()["task_id"])
    assert job.webhook is not None
    assert job.webhook.url == url


def test_contradicting_speaker_bounds(client: TestClient) -> None:
    answer = post(client, min_speakers=4, max_speakers=2)
    assert answer.status_code == 422
    assert "min_speakers (4)" in answer.json()["detail"][0]["msg"]


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "{}"])
def test_bodies_that_are_none(client: TestClient, body: str) -> None:
    answer = client.post("/", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


@pytest.mark.parametrize("url", ["", "ftp://a/b.mp3", "file:///etc/passwd", " http://a", "a.mp3"])
def test_urls_that_do_not_begin_with_http(client: TestClient, url: str) -> None:
    answer = post(client, url=url)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Invalid URL"}


def test_the_scheme_may_be_in_capitals(client: TestClient) -> None:
    assert post(client, url="HTTP://example.com/a.mp3").status_code == 200


def test_a_gated_model_without_a_token(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, gated_without_token=True))
    answer = post(client, diarise_audio=True)
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Missing Hugging Face Token"}
    assert post(client).status_code == 200


def test_an_asynchronous_task_needs_a_webhook(client: TestClient) -> None:
    answer = post(client, is_async=True)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Webhook is required for async tasks"}


def test_order_of_the_checks(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, gated_without_token=True))
    wrong = {"task": "sing", "url": "a", "diarise_audio": True, "is_async": True}
    assert post(client, **wrong).status_code == 422
    del wrong["task"]
    assert post(client, **wrong).json()["detail"] == "Invalid URL"
    del wrong["url"]
    assert post(client, **wrong).json()["detail"] == "Missing Hugging Face Token"
    del wrong["diarise_audio"]
    assert post(client, **wrong).json()["detail"] == "Webhook is required for async tasks"


@pytest.mark.parametrize("key", ["header", "headers"])
def test_webhook_headers_have_two_names(client: TestClient, key: str) -> None:
    webhook = {"url": "https://example.com", key: {"x-secret": 1}}
    answer = post(client, is_async=True, webhook=webhook)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "webhook", key, "x-secret"]


def test_the_task_id_may_be_the_clients(client: TestClient) -> None:
    assert post(client, managed_task_id="mine").json()["task_id"] == "mine"


def test_fly_machine_id(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, fly_machine_id="m-1"))
    assert post(client).json()["fly_machine_id"] == "m-1"
    assert "fly_machine_id" not in post(make_client()).json()


def test_what_is_missing_is_said(client: TestClient, transcriber: FakeTranscriber) -> None:
    assert "notes" not in post(client).json()["output"]
    transcriber.result = TRUNCATED
    assert post(client).json()["output"]["notes"] == list(TRUNCATED.quality.notes)
