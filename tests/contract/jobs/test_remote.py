"""`/v1/jobs/{id}/recording` of a job that came by URL: passed on, and never kept."""

import random
import time
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from interchange.errors import QueueFull, RayscribeError, SourceRefused, SourceUnreachable
from interchange.stages import RemoteFile, UrlSource
from serve_app.http.app import create_app
from serve_app.jobs.frontend import JobFrontend
from tests.fakes.services import FakeRelay, services
from tests.support.running.http_server import running

URL = "https://example.com/a.mp3"
MIB = 2**20
CONTENT = random.Random(1).randbytes(11 * MIB + 1)


@pytest.fixture
def path(client: TestClient) -> str:
    job: Any = client.post("/v1/jobs", json={"url": URL}).json()
    assert not job["has_recording"]
    return f"/v1/jobs/{job['id']}/recording"


def pieces(remote: FakeRelay) -> list[tuple[int, int]]:
    """Where pieces began, and how long they might be, in MiB."""
    assert {source for source, _, _ in remote.asked} == {UrlSource(URL)}
    return [(start // MIB, -(-most // MIB)) for _, start, most in remote.asked]


def test_all_of_it_comes_in_pieces(client: TestClient, remote: FakeRelay, path: str) -> None:
    remote.has(CONTENT)
    answer = client.get(path)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "audio/mpeg"
    assert pieces(remote) == [(0, 4), (4, 4), (8, 4)]
    assert remote.closed == 3


@pytest.mark.parametrize("ranged", [True, False])
@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 8 * MIB),
        (f"bytes={4 * MIB}-", 4 * MIB, len(CONTENT)),
        ("bytes=1000-600000", 1000, 600_001),
        (f"bytes={5 * MIB}-{10 * MIB}", 5 * MIB, 10 * MIB + 1),
        ("bytes=-5", len(CONTENT) - 5, len(CONTENT)),
        ("bytes=10-99999999", 10, len(CONTENT)),
    ],
)
def test_a_range_of_it(
    client: TestClient,
    remote: FakeRelay,
    path: str,
    wanted: str,
    start: int,
    end: int,
    ranged: bool,
) -> None:
    remote.has(CONTENT, ranged=ranged)
    answer = client.get(path, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize(("ranged", "end"), [(True, 28), (False, 40)])
def test_what_a_player_asks_for_ends_early(
    client: TestClient, remote: FakeRelay, path: str, ranged: bool, end: int
) -> None:
    remote.has(bytes(100 * MIB), ranged=ranged)
    answer = client.get(path, headers={"Range": f"bytes={20 * MIB}-"})
    assert answer.headers["content-range"] == f"bytes {20 * MIB}-{end * MIB - 1}/{100 * MIB}"
    assert len(answer.content) == (end - 20) * MIB


def test_no_more_is_asked_for_than_is_wanted(
    client: TestClient, remote: FakeRelay, path: str
) -> None:
    remote.has(CONTENT)
    client.get(path, headers={"Range": "bytes=100-199"})
    assert [asked[1:] for asked in remote.asked] == [(100, 100)]


def test_pieces_grow_where_each_is_fetched_from_the_start(
    client: TestClient, remote: FakeRelay, path: str
) -> None:
    remote.has(bytes(40 * MIB), ranged=False)
    assert len(client.get(path).content) == 40 * MIB
    assert pieces(remote) == [(0, 4), (4, 4), (8, 8), (16, 16), (32, 8)]


@pytest.mark.parametrize("wanted", [None, "bytes=100-", "bytes=-100"])
def test_without_a_size_it_is_given_as_a_whole(
    client: TestClient, remote: FakeRelay, path: str, wanted: str | None
) -> None:
    remote.content = CONTENT
    answer = client.get(path, headers={"Range": wanted} if wanted else {})
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["accept-ranges"] == "none"
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("size", [8 * MIB, 8 * MIB + 1])
def test_an_unknown_end_is_found(
    client: TestClient, remote: FakeRelay, path: str, size: int
) -> None:
    remote.content, remote.file = CONTENT[:size], RemoteFile("audio/mpeg", None, ranged=True)
    assert client.get(path).content == CONTENT[:size]
    assert pieces(remote) == [(0, 4), (4, 4), (8, 4)]


def test_who_stands_still_or_leaves_is_sent_no_more(jobs: JobFrontend, remote: FakeRelay) -> None:
    remote.has(bytes(128 * MIB))
    with running(create_app(services(jobs, remote=remote))) as address:
        job = httpx2.post(f"{address}/v1/jobs", json={"url": URL}).json()["id"]
        with httpx2.stream("GET", f"{address}/v1/jobs/{job}/recording") as answer:
            next(answer.iter_raw())
        while remote.closed < len(remote.asked):
            time.sleep(0.01)
    assert len(pieces(remote)) < 16, "sockets hold some, and the recording has 32"


def test_a_range_behind_the_end(client: TestClient, remote: FakeRelay, path: str) -> None:
    remote.has(CONTENT)
    answer = client.get(path, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_it_is_never_run_as_a_page(client: TestClient, remote: FakeRelay, path: str) -> None:
    remote.has(b"<html>", "")
    answer = client.get(path)
    assert answer.headers["content-type"] == "audio/mpeg", "by the name in the URL"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(
    "error", [SourceRefused("The server answered 404."), QueueFull("Too many.", 2)]
)
def test_what_is_wrong_there_is_a_sentence(
    client: TestClient, remote: FakeRelay, path: str, error: RayscribeError
) -> None:
    remote.error = error
    answer = client.get(path)
    assert answer.status_code == error.status
    assert answer.json()["error"]["message"] == error.message


def test_a_full_loader_is_waited_for_in_the_middle(
    client: TestClient, remote: FakeRelay, path: str
) -> None:
    remote.has(CONTENT)
    remote.error, remote.error_at = QueueFull("Too many.", 0), 1
    assert client.get(path).content == CONTENT
    assert pieces(remote) == [(0, 4), (4, 4), (4, 4), (8, 4)]


@pytest.mark.parametrize("change", ["another size", "an end"])
def test_what_breaks_in_the_middle_breaks_off(
    client: TestClient, remote: FakeRelay, path: str, change: str
) -> None:
    remote.has(CONTENT)
    began = remote.relay

    async def relay(source: UrlSource, start: int, most: int) -> Any:
        if start and change == "another size":
            remote.file = RemoteFile("audio/mpeg", 7, ranged=True)
        elif start:
            remote.content = b""
        async for each in began(source, start, most):
            yield each

    remote.relay = relay  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="already started") as caught:
        client.get(path)
    assert isinstance(caught.value.__cause__, SourceUnreachable)
