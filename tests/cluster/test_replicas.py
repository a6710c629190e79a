"""Replicas die while they work; requests do not."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from httpx2 import Response

from tests.support.recordings.speech import SAMPLE
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service


def ask(service: Service, url: str) -> Response:
    with service.client() as client:
        return client.post("/", json={"url": url, "diarise_audio": True})


@pytest.mark.parametrize("stage", ["AudioLoader", "SpeechRecognizer", "SpeakerDiarizer"])
def test_a_replica_killed_at_work_is_replaced_and_its_request_answered(
    running_service: Service, recordings_server: RemoteServer, stage: str
) -> None:
    url = recordings_server.file(SAMPLE)
    undisturbed = ask(running_service, url).json()["output"]
    with ThreadPoolExecutor(3) as pool:
        asked: list[Future[Response]] = [pool.submit(ask, running_service, url) for _ in range(3)]
        time.sleep(1.0)  # long enough that they are on their way, too short to be answered
        killed = running_service.kill(stage)
        assert killed
        answers = [each.result() for each in asked]
    assert [answer.status_code for answer in answers] == [200, 200, 200], answers[0].text
    assert [answer.json()["output"] for answer in answers] == [undisturbed] * 3
    assert running_service.wait_until_replaced(stage, killed)
