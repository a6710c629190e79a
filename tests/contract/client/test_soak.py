"""What `make soak` sends is what the service takes."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest

from benchmarks.endurance.soak import Clients, Load, expect, keep_calling
from benchmarks.systems.graph_client import GraphClient
from serve_app.http.app import create_app
from serve_app.jobs.frontend import JobFrontend
from tests.fakes.services import FakeTranscriber, FakeUploads, services
from tests.support.recordings.speech import SAMPLE
from tests.support.running.http_server import running


@pytest.fixture
def clients(
    jobs: JobFrontend, transcriber: FakeTranscriber, uploads: FakeUploads
) -> Iterator[Clients]:
    with running(create_app(services(jobs, transcriber, uploads))) as address:
        graph = GraphClient(cast(Any, SimpleNamespace(url=address)))
        yield Clients(graph, SAMPLE, SAMPLE)
        graph.http.close()


@pytest.mark.parametrize("call", ["sync", "stream", "leave", "cancel"])
def test_a_client_gets_what_it_expects(clients: Clients, call: str) -> None:
    """`job` needs somebody who works on it; but for the cancelling it is `cancel`."""
    getattr(clients, call)()


def test_an_answer_that_nobody_may_get_is_a_fault() -> None:
    load = Load()

    def call() -> None:
        load.over.set()
        expect(httpx2.Response(500, text="broken"), 200)

    keep_calling("sync", call, load, pause_s=0)
    (fault,) = load.faults
    assert "500: broken" in fault
    assert not load.done
