"""Recordings that are made to hurt, before the real graph: whoever sends one gets a 4xx, and
nobody else notices."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.recordings.speech import SAMPLE, SPEECH, needs_speech
from tests.support.running.children import decoding_children, fork_servers
from tests.support.running.remote import RemoteServer
from tests.support.running.service import Service


def post(service: Service, name: str, data: bytes) -> tuple[int, str]:
    with service.client() as client:
        response = client.post(
            "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": (name, data)}
        )
    return response.status_code, response.text


@needs_speech
@pytest.mark.speech
def test_eight_files_that_claim_fifty_million_samples(running_service: Service) -> None:
    loader = running_service.replicas("AudioLoader")
    data = (SPEECH / "attack" / "mp4_50M_samples.mp4").read_bytes()
    with ThreadPoolExecutor(9) as pool:
        attacks = [pool.submit(post, running_service, "a.mp4", data) for _ in range(8)]
        honest = pool.submit(post, running_service, "call.wav", SAMPLE.read_bytes())
        for attack in attacks:
            status, text = attack.result()
            assert status == 400
            assert "undecodable_recording" in text
        assert honest.result()[0] == 200
    assert running_service.replicas("AudioLoader") == loader


def test_a_recording_that_crashes_its_decoder(
    running_service: Service, recordings_server: RemoteServer
) -> None:
    loader = running_service.replicas("AudioLoader")
    asked = len(recordings_server.requests)
    with ThreadPoolExecutor(2) as pool, running_service.client() as client:
        url = f"{recordings_server.url}/trickle"
        crash = pool.submit(client.post, "/", json={"url": url})
        while not crash.done():
            for child in decoding_children(*loader):
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGSEGV)
            time.sleep(0.2)
        answer = crash.result()
        assert answer.status_code == 400
        assert "makes the decoder crash" in answer.json()["detail"]
        assert post(running_service, "call.wav", SAMPLE.read_bytes())[0] == 200
    assert recordings_server.requests[asked:].count("/trickle") == 1
    assert running_service.replicas("AudioLoader") == loader


def test_nothing_listens_beyond_loopback(running_service: Service) -> None:
    addresses = {
        connection.laddr.ip
        for process in running_service.processes()
        for connection in psutil.Process(process).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses
    assert not [each for each in addresses if not each.startswith(("127.", "::ffff:127."))]


def test_what_lies_on_disk_is_the_services_own(running_service: Service) -> None:
    (loader,) = running_service.replicas("AudioLoader")
    for server in fork_servers(loader):
        names = server.environ().keys()
        assert not [name for name in names if name.startswith("RAY_") or name.endswith("_KEY")]
    # Ray opens the folders below to everybody whenever a worker starts: nobody gets that far.
    folder = Path(f"/tmp/rayscribe-{os.getuid()}")
    assert list(folder.glob("*/session_*/logs"))
    assert folder.stat().st_mode & 0o777 == 0o700
