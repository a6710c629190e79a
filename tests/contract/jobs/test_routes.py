"""Jobs of our own: `/v1/jobs`."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from interchange.errors import StoreUnavailable
from interchange.stages import BlobSource, UrlSource
from interchange.transcript import WindowTranscript
from serve_app.http.intake.form_reader import FIELD_BYTES
from serve_app.http.jobs.events import job_events
from serve_app.http.jobs.form import JobOptions
from serve_app.http.services import HttpConfig
from serve_app.jobs.delivery import DeliveryAttempt
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.job import Claim, Failure
from serve_app.transcription.events import Progress
from tests.contract.conftest import MakeClient
from tests.fakes.services import DIALOGUE, GREETING, MODEL, TRUNCATED, FakeUploads, segment

PATH = "/v1/jobs"
URL = "https://example.com/a.mp3"
FIRST = WindowTranscript(
    0, 0.0, 10.0, (segment("Hello there.", 0.0, 1.5), segment("Well.", 2.0, 3.0)), "en"
)
SECOND = WindowTranscript(1, 10.0, 20.0, (segment("How are you?", 11.0, 12.0),), "en")


def submit(client: TestClient, headers: dict[str, str] | None = None, **options: Any) -> Any:
    return client.post(PATH, json={"url": URL} | options, headers=headers)


def upload(client: TestClient, content: bytes = b"RIFF", key: str = "", **form: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else None
    return client.post(PATH, data=form, files={"file": ("a.wav", content)}, headers=headers)


def call(client: TestClient, work: Any, *args: Any) -> Any:
    assert client.portal is not None
    return client.portal.call(work, *args)


class Runner:
    """Does by hand what a runner does."""

    def __init__(self, client: TestClient, jobs: JobFrontend) -> None:
        self._client = client
        self._leases = jobs.attended._leases

    def claim(self) -> Claim:
        claim = call(self._client, self._leases.claim, "runner")
        assert isinstance(claim, Claim)
        return claim

    def complete(self, claim: Claim, result: Any = GREETING) -> None:
        call(self._client, self._leases.complete, claim, result)

    def fail(self, claim: Claim) -> None:
        failure = Failure("The file is not audio.", 400, "undecodable_recording")
        call(self._client, self._leases.fail, claim, failure)

    def checkpoint(self, claim: Claim, *windows: WindowTranscript, recognized: float = 0) -> None:
        progress = Progress(20.0, recognized, 20.0)
        call(self._client, self._leases.checkpoint, claim, windows, (), progress)


@pytest.fixture
def runner(client: TestClient, jobs: JobFrontend) -> Runner:
    return Runner(client, jobs)


def error(answer: Any) -> tuple[int, str, str | None]:
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    return answer.status_code, body["code"], body["param"]


# --------------------------------------------------------------------------- submitting


def test_a_job_keeps_its_name_its_options_and_what_its_client_noted(client: TestClient) -> None:
    metadata = {"call": "17", "Straße": "日本"}
    form: dict[str, Any] = {
        "metadata": json.dumps(metadata),
        "speakers": "true",
        "speaker_names[]": ["Ann", "Bo"],
    }
    accepted = upload(client, language="French", **form).json()
    assert accepted["name"] == "a.wav"
    assert accepted["metadata"] == metadata
    assert accepted["options"] == {
        "task": "transcribe",
        "language": "fr",
        "languages": [],
        "words": False,
        "speakers": True,
        "num_speakers": None,
        "min_speakers": None,
        "max_speakers": None,
        "channels": "auto",
        "speaker_names": ["Ann", "Bo"],
        "known_speakers": [],
        "identify": False,
        "speaker_embeddings": False,
        "prompt": None,
        "temperature": 0.0,
        "batch_size": None,
    }
    assert client.get(f"{PATH}/{accepted['id']}").json() == accepted
    assert submit(client).json()["metadata"] == {}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/calls/m%C3%BCller%20.mp3?signature=secret#t=1", "müller .mp3"),
        ("https://example.com/calls/", "calls"),
        ("https://user:secret@example.com?signature=secret", "example.com"),
    ],
)
def test_the_name_of_an_address_holds_no_secret(client: TestClient, url: str, name: str) -> None:
    assert client.post(PATH, json={"url": url}).json()["name"] == name


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("metadata", {"": "a"}),
        ("metadata", {"a": "b" * 513}),
        ("metadata", {str(number): "" for number in range(17)}),
        ("metadata", {"a": 1}),
        ("speaker_names", [" "]),
        ("speaker_names", ["two\nlines"]),
    ],
)
def test_notes_and_names_have_bounds(client: TestClient, option: str, value: Any) -> None:
    assert submit(client, speakers=True, **{option: value}).status_code == 422


def test_a_request_repeated_after_an_upgrade_is_the_same_request() -> None:
    """As services without notes and names wrote what they took the fingerprint of."""
    before = (
        '{"url":"https://example.com/a.mp3","task":"transcribe","language":null,"languages":[],'
        '"words":false,"speakers":false,"num_speakers":null,"min_speakers":null,'
        '"max_speakers":null,"prompt":null,"temperature":0.0,"batch_size":null,"webhook":null}'
    )
    new = JobOptions(url=URL).to_job(UrlSource(URL), None, "key", ())
    assert new.fingerprint == hashlib.sha256(before.encode()).hexdigest()
    noted = JobOptions(url=URL, metadata={"a": "b"}).to_job(UrlSource(URL), None, "key", ())
    assert noted.fingerprint != new.fingerprint


def test_names_need_speakers(client: TestClient) -> None:
    assert submit(client, speaker_names=["Ann"]).status_code == 422


def test_a_job_by_url(client: TestClient, jobs: JobFrontend) -> None:
    answer = submit(
        client, speakers=True, max_speakers=3, words=True, language="German", prompt="Names."
    )
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"{PATH}/{job['id']}"
    assert (job["object"], job["status"], job["error"]) == ("job", "queued", None)
    assert client.get(answer.headers["location"]).json() == job
    request = call(client, jobs.store.get, job["id"]).request
    assert request.source == UrlSource(URL)
    assert (request.speakers, request.max_speakers, request.words) == (True, 3, True)
    assert (request.language, request.prompt, request.priority) == ("de", "Names.", "bulk")


def test_an_uploaded_job_keeps_its_recording(
    client: TestClient, jobs: JobFrontend, uploads: FakeUploads
) -> None:
    webhook = json.dumps({"url": "https://receiver.example.com", "headers": {"x": "1"}})
    answer = upload(client, speakers="true", languages=["de", "en"], webhook=webhook)
    assert answer.status_code == 202, answer.text
    job = call(client, jobs.store.get, answer.json()["id"])
    assert isinstance(job.request.source, BlobSource)
    assert uploads.kept[job.request.source.path] == b"RIFF"
    assert job.request.languages == ("de", "en")
    assert job.webhook.headers == {"x": "1"}


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"task": "sing"}, "task"),
        ({"language": "klingon"}, "language"),
        ({"languages": ["None"]}, "languages"),
        ({"batch_size": 0}, "batch_size"),
        ({"speaker": True}, "speaker"),
        ({"num_speakers": 2}, "speakers"),
        ({"speakers": True, "min_speakers": 3, "max_speakers": 2}, "min_speakers"),
        ({"webhook": {"url": "ftp://a"}}, "webhook.url"),
        ({"webhook": {"url": ""}}, "webhook.url"),
        ({"webhook": {"url": "ws://a.test"}}, "webhook.url"),
        ({"webhook": {"url": "file:///etc/passwd"}}, "webhook.url"),
        ({"webhook": {"url": "https://"}}, "webhook.url"),
        ({"webhook": "x"}, "webhook"),
        ({"url": None}, "url"),
    ],
)
def test_options_that_cannot_be(
    client: TestClient, options: dict[str, Any], param: str | None
) -> None:
    assert error(submit(client, **options)) == (422, "invalid_option", param)


def test_bodies_that_cannot_be(client: TestClient, uploads: FakeUploads) -> None:
    assert error(submit(client, url="ftp://a"))[:2] == (400, "invalid_url")
    assert error(upload(client, url=URL)) == (422, "invalid_option", "url")
    assert error(upload(client, webhook="{")) == (422, "invalid_option", "webhook")
    json_type = {"content-type": "application/json"}
    assert client.post(PATH, content=b"{", headers=json_type).status_code == 400
    assert client.post(PATH, content=b"[]", headers=json_type).status_code == 422
    assert client.post(PATH, content=b" " * (FIELD_BYTES + 1), headers=json_type).status_code == 413
    assert client.post(PATH, content=b"x", headers={"content-type": "text/x"}).status_code == 415
    assert not uploads.kept, "what was refused is not stored"


def test_a_key_makes_a_repeated_request_one_job(client: TestClient, uploads: FakeUploads) -> None:
    first = upload(client, key="k", words="true").json()
    assert upload(client, key="k", words="true").json()["id"] == first["id"]
    assert len(uploads.kept) == 1, "the second upload goes again"
    assert error(upload(client, key="k", words="false"))[:2] == (409, "conflict")
    assert error(upload(client, b"RIFX", key="k", words="true"))[:2] == (409, "conflict")
    assert len(uploads.kept) == 1
    assert error(upload(client, key="k" * 256)) == (422, "invalid_option", "Idempotency-Key")


def test_without_a_key_each_request_is_a_job(client: TestClient) -> None:
    assert submit(client).json()["id"] != submit(client).json()["id"]


def test_a_store_that_is_away(
    client: TestClient, jobs: JobFrontend, uploads: FakeUploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("The job store cannot be used now.", 10)

    monkeypatch.setattr(jobs.store, "submit", away)
    answer = upload(client)
    assert error(answer)[:2] == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "10"
    assert not uploads.kept


def test_new_jobs_wake_the_runners(
    client: TestClient, jobs: JobFrontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[None] = []
    monkeypatch.setattr(jobs, "_notify", lambda: woken.append(None))
    submit(client)
    assert woken


# ------------------------------------------------------------------------------- looking


def test_progress_and_result(client: TestClient, runner: Runner) -> None:
    path = submit(client).headers["location"]
    claim = runner.claim()
    runner.checkpoint(claim, FIRST, recognized=10.0)
    job = client.get(path).json()
    assert job["status"] == "running"
    assert job["progress"] == {"loaded": 20.0, "recognized": 10.0, "duration": 20.0}
    assert job["windows"] == 1
    assert error(client.get(f"{path}/transcript"))[:2] == (409, "conflict")
    runner.complete(claim, DIALOGUE)
    job = client.get(path).json()
    assert job["status"] == "completed"
    assert job["quality"]["silent"] == 0.5
    assert job["expires_at"] > job["ended_at"] >= job["started_at"] >= job["created_at"]


@pytest.mark.parametrize(
    ("name", "media_type", "part"),
    [
        ("json", "application/json", '"speaker": "SPEAKER_01"'),
        ("txt", "text/plain", "How are you?"),
        ("srt", "application/x-subrip", "00:00:02,000 --> "),
        ("vtt", "text/vtt", "WEBVTT"),
        ("tsv", "text/tab-separated-values", "\tSPEAKER_01: How are you?\n"),
    ],
)
def test_formats_of_the_transcript(
    client: TestClient, runner: Runner, name: str, media_type: str, part: str
) -> None:
    path = submit(client, speakers=True).headers["location"]
    runner.complete(runner.claim(), DIALOGUE)
    answer = client.get(f"{path}/transcript", params={"format": name})
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert part in answer.text
    assert error(client.get(f"{path}/transcript?format=doc")) == (422, "invalid_option", "format")


def test_a_job_says_what_is_missing(client: TestClient, runner: Runner) -> None:
    """In its account, in the event of its end, and in each format of its transcript."""
    path = submit(client).headers["location"]
    runner.complete(runner.claim(), TRUNCATED)
    missing = list(TRUNCATED.quality.notes)
    assert client.get(path).json()["quality"]["notes"] == missing
    with client.stream("GET", f"{path}/events") as stream:
        end = read_events(stream.iter_lines())[-1]
    assert end["data"]["quality"]["notes"] == missing
    document = client.get(f"{path}/transcript")
    assert document.json()["quality"]["notes"] == missing
    for name in ("txt", "srt", "vtt"):
        answer = client.get(f"{path}/transcript", params={"format": name})
        assert [answer.headers["x-rayscribe-notes"]] == missing


def test_a_failed_job_says_why(client: TestClient, runner: Runner) -> None:
    path = submit(client).headers["location"]
    runner.fail(runner.claim())
    assert client.get(path).json()["error"] == {
        "message": "The file is not audio.",
        "status": 400,
        "code": "undecodable_recording",
    }
    assert "not audio" in client.get(f"{path}/transcript").json()["error"]["message"]


def test_pages(client: TestClient, runner: Runner) -> None:
    ids = [submit(client).json()["id"] for _ in range(5)]
    runner.complete(runner.claim())
    seen: list[str] = []
    cursor = None
    while True:
        page = client.get(PATH, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [job["id"] for job in page["data"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ids[::-1]
    done = client.get(PATH, params={"status": "completed"}).json()["data"]
    assert [job["id"] for job in done] == ids[:1]


@pytest.mark.parametrize("query", ["cursor=x", "limit=0", "limit=101", "status=lost"])
def test_a_list_that_cannot_be(client: TestClient, query: str) -> None:
    assert error(client.get(f"{PATH}?{query}"))[0] == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/transcript"),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/d/redeliver"),
    ],
)
def test_an_unknown_job(client: TestClient, method: str, path: str) -> None:
    assert error(client.request(method, f"{PATH}/nobody{path}"))[:2] == (404, "not_found")


def test_jobs_need_the_key(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, admin_key="k"))
    assert error(client.get(PATH))[:2] == (401, "invalid_api_key")
    assert client.get(PATH, headers={"authorization": "Bearer k"}).status_code == 200


# ----------------------------------------------------------------------------- changing


def test_cancelling(client: TestClient) -> None:
    path = submit(client).headers["location"]
    assert client.post(f"{path}/cancel").json()["status"] == "cancelled"
    assert client.get(path).json()["error"]["message"] == "Task Cancelled"
    assert error(client.post(f"{path}/cancel"))[:2] == (409, "conflict")


def test_deleting(client: TestClient, runner: Runner) -> None:
    path = submit(client).headers["location"]
    assert error(client.delete(path))[:2] == (409, "conflict")
    runner.complete(runner.claim())
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_deliveries(client: TestClient, jobs: JobFrontend, runner: Runner) -> None:
    webhook = {"url": "https://receiver.example.com"}
    path = submit(client, webhook=webhook).headers["location"]
    assert client.get(f"{path}/deliveries").json() == {"object": "list", "data": []}
    runner.complete(runner.claim())
    due = call(client, jobs.outbox.claim, 30.0)
    call(client, jobs.outbox.record, due, DeliveryAttempt(1.0, 0.1, 410, None), "gone")
    (delivery,) = client.get(f"{path}/deliveries").json()["data"]
    assert (delivery["state"], delivery["url"], delivery["due_at"]) == (
        "gone",
        webhook["url"],
        None,
    )
    assert delivery["attempts"] == [{"at": 1.0, "seconds": 0.1, "status": 410, "error": None}]
    again = client.post(f"{path}/deliveries/{delivery['id']}/redeliver")
    assert again.status_code == 202
    (delivery,) = again.json()["data"]
    assert delivery["state"] == "pending"
    assert len(delivery["attempts"]) == 1
    assert client.post(f"{path}/deliveries/other/redeliver").status_code == 404


# ------------------------------------------------------------------------------- events


def read_events(lines: Iterator[str], count: int = 10**6) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    current: dict[str, Any] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            current[name] = json.loads(value) if name == "data" else value
        elif current:
            events.append(current)
            current = {}
            if len(events) == count:
                break
    return events


def segments(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(e["id"], e["data"]["text"].strip()) for e in events if e["event"] == "segment"]


def test_events_of_an_ended_job(client: TestClient, runner: Runner) -> None:
    path = submit(client).headers["location"]
    claim = runner.claim()
    runner.checkpoint(claim, SECOND, FIRST, recognized=20.0)
    runner.complete(claim)
    answer = client.get(f"{path}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = read_events(iter(answer.text.split("\n")))
    assert segments(events) == [
        ("0.0", "Hello there."),
        ("0.1", "Well."),
        ("1.0", "How are you?"),
    ]
    assert events[-2]["event"] == "progress"
    assert events[-1]["event"] == "completed"
    assert events[-1]["data"] == client.get(path).json()
    # A client that lost its connection goes on behind what it saw.
    resumed = client.get(f"{path}/events", headers={"Last-Event-ID": "0.0"})
    assert segments(read_events(iter(resumed.text.split("\n")))) == [
        ("0.1", "Well."),
        ("1.0", "How are you?"),
    ]
    seen = client.get(f"{path}/events", headers={"Last-Event-ID": events[-1]["id"]})
    assert seen.status_code == 204
    wrong = client.get(f"{path}/events", headers={"Last-Event-ID": "x"})
    assert error(wrong) == (422, "invalid_option", "Last-Event-ID")


def test_a_window_that_may_still_change_is_not_told(
    client: TestClient, jobs: JobFrontend, runner: Runner
) -> None:
    """It can be decoded again in another language until the windows before it are settled."""
    job_id = submit(client).json()["id"]
    claim = runner.claim()
    runner.checkpoint(claim, SECOND, recognized=0.0)

    async def first(count: int) -> list[str]:
        job = await jobs.store.get(job_id)
        stream = job_events(jobs.store, job, None, 0.001)
        return [await anext(stream) for _ in range(count)]

    def told(count: int) -> list[dict[str, Any]]:
        return read_events(iter("".join(call(client, first, count)).split("\n")))

    assert [each["event"] for each in told(1)] == ["progress"]
    runner.checkpoint(claim, FIRST, recognized=10.0)
    assert segments(told(3)) == [("0.0", "Hello there."), ("0.1", "Well.")]
    runner.checkpoint(claim, recognized=20.0)
    assert [text for _, text in segments(told(4))] == ["Hello there.", "Well.", "How are you?"]


def test_events_come_while_the_job_runs(client: TestClient, runner: Runner) -> None:
    path = submit(client).headers["location"]
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(lambda: client.get(f"{path}/events").text)
        claim = runner.claim()
        runner.checkpoint(claim, FIRST, recognized=10.0)
        runner.checkpoint(claim, SECOND, recognized=20.0)
        runner.complete(claim)
        events = read_events(iter(watching.result().split("\n")))
    assert [text for _, text in segments(events)] == ["Hello there.", "Well.", "How are you?"]
    assert events[-1]["event"] == "completed"
