"""What a job was given, for who plays it: `/v1/jobs/{id}/recording` and `/peaks`."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from interchange.transcript import Waveform
from serve_app.jobs.frontend import JobFrontend
from tests.contract.jobs.test_routes import Runner
from tests.fakes.services import GREETING

PATH = "/v1/jobs"
CONTENT = bytes(range(256)) * 3000


def uploaded(client: TestClient, name: str = "a.wav") -> str:
    job = client.post(PATH, files={"file": (name, CONTENT)}).json()
    assert job["has_recording"]
    return f"{PATH}/{job['id']}/recording"


def test_the_whole_recording(client: TestClient) -> None:
    answer = client.get(uploaded(client))
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["content-type"].startswith("audio/")


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, len(CONTENT)),
        ("bytes=1000-600000", 1000, 600_001),
        ("bytes=-5", len(CONTENT) - 5, len(CONTENT)),
        ("bytes=10-99999999", 10, len(CONTENT)),
        ("bytes=-99999999", 0, len(CONTENT)),
    ],
)
def test_a_range_of_it(client: TestClient, wanted: str, start: int, end: int) -> None:
    answer = client.get(uploaded(client), headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(end - start)


def test_a_range_without_an_end_ends_early(client: TestClient) -> None:
    """Its player asks for the rest when it gets there, and nothing waits for it until then."""
    content = bytes(9 * 2**20)
    job = client.post(PATH, files={"file": ("a.wav", content)}).json()["id"]
    answer = client.get(f"{PATH}/{job}/recording", headers={"Range": "bytes=100-"})
    assert answer.headers["content-range"] == f"bytes 100-{8 * 2**20 + 99}/{len(content)}"
    assert len(answer.content) == 8 * 2**20


@pytest.mark.parametrize("wanted", ["bytes=9-3", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "x"])
def test_a_range_that_says_nothing_is_passed_over(client: TestClient, wanted: str) -> None:
    answer = client.get(uploaded(client), headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("wanted", [f"bytes={len(CONTENT)}-", "bytes=-0"])
def test_a_range_behind_the_end(client: TestClient, wanted: str) -> None:
    answer = client.get(uploaded(client), headers={"Range": wanted})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_there_is_no_recording_without_a_job(client: TestClient) -> None:
    assert client.get(f"{PATH}/nothing/recording").status_code == 404


def test_an_upload_is_never_run_as_a_page(client: TestClient) -> None:
    answer = client.get(uploaded(client, "evil.html"))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["content-disposition"] == "attachment"


def test_peaks_come_with_the_transcript(client: TestClient, jobs: JobFrontend) -> None:
    path = client.post(PATH, json={"url": "https://example.com/a.mp3"}).headers["location"]
    refused = client.get(f"{path}/peaks")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    runner = Runner(client, jobs)
    runner.complete(runner.claim(), replace(GREETING, waveform=Waveform(0.05, (0, 17, 255))))
    assert client.get(f"{path}/peaks").json() == {
        "object": "peaks",
        "step": 0.05,
        "data": [0, 17, 255],
    }


def test_a_transcript_of_an_older_service_has_no_peaks(
    client: TestClient, jobs: JobFrontend
) -> None:
    path = client.post(PATH, json={"url": "https://example.com/a.mp3"}).headers["location"]
    runner = Runner(client, jobs)
    runner.complete(runner.claim(), GREETING)
    assert client.get(f"{path}/peaks").status_code == 404
