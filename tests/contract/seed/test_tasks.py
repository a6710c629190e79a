"""insanely-fast-whisper-api's dialect, asynchronous half: tasks, status, cancel, webhooks."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from interchange.errors import StoreUnavailable, UndecodableRecording
from serve_app.http.seed.answers import webhook_body
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.job import Failure, Job
from tests.contract.conftest import MakeClient
from tests.fakes.services import DIALOGUE, GREETING, MODEL, TRUNCATED, FakeTranscriber
from tests.support.jobs import new_job

URL = "https://example.com/a.mp3"
WEBHOOK = {"url": "https://receiver.example.com/hook", "header": {"x-secret": "1"}}


def post(client: TestClient, **options: Any) -> Any:
    return client.post("/", json={"url": URL} | options)


def submit(client: TestClient, **options: Any) -> Any:
    return post(client, is_async=True, webhook=WEBHOOK, **options)


async def run_all(jobs: JobFrontend, client: TestClient, result: Any) -> None:
    """What a runner does: every waiting job ends with `result`."""
    leases = jobs.attended._leases
    while (claim := await leases.claim("runner")) is not None:
        if isinstance(result, Failure):
            await leases.fail(claim, result)
        else:
            await leases.complete(claim, result)


def finish(jobs: JobFrontend, client: TestClient, result: Any = GREETING) -> None:
    assert client.portal is not None
    client.portal.call(run_all, jobs, client, result)


def test_an_accepted_task(client: TestClient, jobs: JobFrontend) -> None:
    answer = submit(client, managed_task_id="mine", diarise_audio=True, timestamp="word")
    assert answer.status_code == 200
    assert answer.json() == {
        "detail": "Task is being processed in the background",
        "status": "processing",
        "task_id": "mine",
    }
    assert client.get("/tasks").json() == {"tasks": ["mine"]}
    assert client.get("/status/mine").json() == {"status": "processing"}
    assert client.portal is not None
    job = client.portal.call(jobs.store.task, "mine")
    assert job.request.speakers
    assert job.request.words
    assert job.webhook is not None
    assert job.webhook.headers == {"x-secret": "1"}


def test_a_finished_task_answers_its_result(client: TestClient, jobs: JobFrontend) -> None:
    submit(client, managed_task_id="mine")
    finish(jobs, client)
    found = client.get("/status/mine").json()
    assert found["status"] == "completed"
    assert client.get("/tasks").json() == {"tasks": []}
    assert found["output"] == post(client).json()["output"]


def test_a_finished_task_says_what_is_missing(client: TestClient, jobs: JobFrontend) -> None:
    submit(client, managed_task_id="mine")
    finish(jobs, client, TRUNCATED)
    output = client.get("/status/mine").json()["output"]
    assert output["notes"] == list(TRUNCATED.quality.notes)


def test_a_failed_task_answers_its_error(client: TestClient, jobs: JobFrontend) -> None:
    submit(client, managed_task_id="mine")
    finish(jobs, client, Failure("The file is not audio.", 400, "undecodable_recording"))
    assert client.get("/status/mine").json() == {
        "status": "error",
        "error": "The file is not audio.",
    }


def test_cancelling(client: TestClient) -> None:
    submit(client, managed_task_id="mine")
    answer = client.delete("/cancel/mine")
    assert (answer.status_code, answer.json()) == (200, {"status": "cancelled"})
    assert client.get("/status/mine").json() == {"status": "cancelled"}
    again = client.delete("/cancel/mine")
    assert again.status_code == 409
    # By the name that the client gave it, not by the job's own id, which it never saw.
    assert again.json() == {"detail": "Task 'mine' has ended already: it is cancelled."}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_task(client: TestClient, method: str) -> None:
    path = "/status/nobody" if method == "GET" else "/cancel/nobody"
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Task not found"})


def test_the_same_task_twice_is_one_and_another_content_is_refused(client: TestClient) -> None:
    first = submit(client, managed_task_id="mine")
    assert submit(client, managed_task_id="mine").json() == first.json()
    assert client.get("/tasks").json() == {"tasks": ["mine"]}
    other = submit(client, managed_task_id="mine", task="translate")
    assert other.status_code == 409
    assert "another content" in other.json()["detail"]


def test_an_id_is_free_again_once_its_task_has_ended(client: TestClient, jobs: JobFrontend) -> None:
    submit(client, managed_task_id="mine")
    finish(jobs, client)
    assert submit(client, managed_task_id="mine", task="translate").status_code == 200
    assert client.get("/status/mine").json() == {"status": "processing"}


def test_a_synchronous_task_is_listed_and_can_be_cancelled(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    transcriber.forever = True
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post, client, managed_task_id="mine")
        while client.get("/tasks").json() != {"tasks": ["mine"]}:
            pass
        assert client.get("/status/mine").json() == {"status": "processing"}
        assert client.delete("/cancel/mine").json() == {"status": "cancelled"}
        answer = waiting.result()
    assert (answer.status_code, answer.json()) == (409, {"detail": "Task Cancelled"})
    assert transcriber.stopped.is_set()


def test_a_synchronous_task_is_kept_for_its_time(client: TestClient) -> None:
    answer = post(client, managed_task_id="mine").json()
    while (found := client.get("/status/mine").json())["status"] == "processing":
        pass  # the answer leaves before the result is written
    assert found == {"status": "completed", "output": answer["output"]}


def test_a_webhook_is_owed_by_a_synchronous_task_too(client: TestClient, jobs: JobFrontend) -> None:
    assert post(client, managed_task_id="mine", webhook=WEBHOOK).status_code == 200
    while client.get("/status/mine").json()["status"] == "processing":
        pass
    assert client.portal is not None
    job = client.portal.call(jobs.store.task, "mine")
    (owed,) = client.portal.call(jobs.outbox.of_job, job.id)
    assert owed.state == "pending"
    assert owed.webhook.url == WEBHOOK["url"]


def test_a_synchronous_task_that_fails(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.error = UndecodableRecording("The file is not audio.")
    assert post(client, managed_task_id="mine").status_code == 400
    while (found := client.get("/status/mine").json())["status"] == "processing":
        pass
    assert found == {"status": "error", "error": "The file is not audio."}


def test_without_a_store_only_what_needs_one_is_refused(
    client: TestClient, jobs: JobFrontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("The job store cannot be used now.", 10)

    monkeypatch.setattr(jobs.attended._leases, "attend", away)
    monkeypatch.setattr(jobs.store, "submit", away)
    assert post(client).status_code == 200
    for answer in (submit(client), post(client, webhook=WEBHOOK)):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "10"


def test_tasks_need_the_key(make_client: MakeClient) -> None:
    client = make_client(HttpConfig(model=MODEL, admin_key="k"))
    for method, path in (("GET", "/tasks"), ("GET", "/status/a"), ("DELETE", "/cancel/a")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})
    assert client.get("/tasks", headers={"x-admin-api-key": "k"}).status_code == 200


# ------------------------------------------------------------------------------- webhooks


async def ended_job(jobs: JobFrontend, result: Any) -> Job:
    job, _ = await jobs.store.submit(new_job("mine"))
    claim = await jobs.attended._leases.claim("runner")
    assert claim is not None
    if isinstance(result, Failure):
        await jobs.attended._leases.fail(claim, result)
    elif result is None:
        await jobs.store.cancel(job.id)
    else:
        await jobs.attended._leases.complete(claim, result)
    found = await jobs.store.get(job.id)
    await jobs._database.close()
    return found


def test_the_body_of_a_completed_task(jobs: JobFrontend) -> None:
    job = asyncio.run(ended_job(jobs, DIALOGUE))
    body = json.loads(webhook_body(job, DIALOGUE, fly_machine_id=None))
    assert body["status"] == "completed"
    assert body["task_id"] == "mine"
    # As the task asked for, word by word and with speakers.
    assert body["output"]["chunks"][0] == {"timestamp": [0.0, 0.75], "text": " Hello"}
    assert body["output"]["speakers"][-1]["speaker"] == "SPEAKER_01"
    assert set(body) == {"status", "task_id", "output"}


def test_the_body_says_what_is_missing(jobs: JobFrontend) -> None:
    job = asyncio.run(ended_job(jobs, TRUNCATED))
    body = json.loads(webhook_body(job, TRUNCATED, fly_machine_id=None))
    assert body["output"]["notes"] == list(TRUNCATED.quality.notes)


def test_the_body_of_a_failed_task(jobs: JobFrontend) -> None:
    job = asyncio.run(ended_job(jobs, Failure("No audio.", 400, "no_audio_stream")))
    assert json.loads(webhook_body(job, None, fly_machine_id="m-1")) == {
        "error": "No audio.",
        "status": "error",
        "task_id": "mine",
        "fly_machine_id": "m-1",
    }


def test_the_body_of_a_cancelled_task(jobs: JobFrontend) -> None:
    job = asyncio.run(ended_job(jobs, None))
    assert json.loads(webhook_body(job, None, fly_machine_id=None)) == {
        "error": "Task Cancelled",
        "status": "error",
        "task_id": "mine",
    }
