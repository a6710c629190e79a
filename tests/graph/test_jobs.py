"""Jobs on the real graph: accepted, worked on, announced, watched, cancelled."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.recordings.speech import SAMPLE
from tests.support.running.receiver import Receiver, webhook_receiver
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service

_PATIENCE_S = 120


def until(look: Callable[[], Any]) -> Any:
    """What `look` answers once it is true."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"Nothing came within {_PATIENCE_S} s.")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as receiver:
        yield receiver


def test_a_task_is_announced_once_with_what_a_synchronous_one_answers(
    running_service: Service, recordings_server: RemoteServer, receiver: Receiver
) -> None:
    task = {"url": recordings_server.file(SAMPLE), "diarise_audio": True}
    hook = {"url": receiver.url, "header": {"x-mine": "1"}}
    with running_service.client() as client:
        accepted = client.post("/", json=task | {"is_async": True, "webhook": hook})
        task_id = accepted.json()["task_id"]
        assert task_id in client.get("/tasks").json()["tasks"]
        got = until(lambda: receiver.got and receiver.got[0])
        body = got.body
        assert client.get(f"/status/{task_id}").json()["output"] == body["output"]
        answer = client.post("/", json=task).json()
    assert (body["status"], body["task_id"]) == ("completed", task_id)
    assert body["output"] == answer["output"]
    assert got.headers["x-mine"] == "1"
    assert got.headers["webhook-id"].startswith("msg_")
    assert len(receiver.got) == 1


def test_an_uploaded_job_is_watched_to_its_end_and_removed(running_service: Service) -> None:
    with running_service.client() as client, SAMPLE.open("rb") as file:
        job = client.post("/v1/jobs", files={"file": file}, data={"words": "true"}).json()
        path = f"/v1/jobs/{job['id']}"
        events = client.get(f"{path}/events").text.split("\n\n")
        ended = client.get(path).json()
        document = client.get(f"{path}/transcript").json()
        subtitles = client.get(f"{path}/transcript?format=srt").text
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404
    assert ended["status"] == "completed"
    assert ended["progress"]["recognized"] == pytest.approx(30.0, abs=0.1)
    assert set(ended["stage_seconds"]) == {"load", "recognize", "total"}
    told = [json.loads(e.split("data: ")[1]) for e in events if e.startswith("event: segment")]
    assert "".join(each["text"] for each in told).strip() == document["text"]
    assert "Jersey" in " ".join(word["word"] for word in document["words"])
    assert "-->" in subtitles


def test_a_recording_at_fault_fails_its_job_at_once(
    running_service: Service, recordings_server: RemoteServer
) -> None:
    with running_service.client() as client:
        url = f"{recordings_server.url}/status/404"
        path = client.post("/v1/jobs", json={"url": url}).headers["location"]
        job = until(lambda: (j := client.get(path).json())["status"] == "failed" and j)
    assert job["error"]["status"] == 400
    assert "404" in job["error"]["message"]


def test_cancelling_ends_a_job_and_a_synchronous_request(
    running_service: Service, recordings_server: RemoteServer
) -> None:
    slow = {"url": f"{recordings_server.url}/trickle"}
    with running_service.client() as client:
        path = client.post("/v1/jobs", json=slow).headers["location"]
        until(lambda: client.get(path).json()["status"] == "running")
        assert client.post(f"{path}/cancel").json()["status"] == "cancelled"
        assert client.post(f"{path}/cancel").status_code == 409

        answers: list[Any] = []
        task = slow | {"managed_task_id": "synchronous"}
        asking = threading.Thread(target=lambda: answers.append(client.post("/", json=task)))
        asking.start()
        until(lambda: "synchronous" in client.get("/tasks").json()["tasks"])
        assert client.delete("/cancel/synchronous").json() == {"status": "cancelled"}
        asking.join(_PATIENCE_S)
    assert (answers[0].status_code, answers[0].json()) == (409, {"detail": "Task Cancelled"})
