"""`/ready`, and what a store that cannot be used does to requests."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from configs.settings import JobSettings
from interchange.files.blobs import BlobStore
from serve_app.http.app import create_app
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.database import Database
from tests.contract.conftest import MakeClient
from tests.fakes.services import FakeReadiness, FakeTranscriber, services

JOB = {"url": "https://example.com/a.mp3"}


def test_what_is_missing_is_said(make_client: MakeClient) -> None:
    readiness = FakeReadiness()
    client = make_client(readiness=readiness)
    assert client.get("/ready").json() == {
        "status": "ready",
        "stages": readiness.state,
        "store": True,
        "disk": True,
    }
    readiness.room = False
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["disk"]) == (503, False)


@pytest.fixture
def store(migrated: Path, tmp_path: Path) -> Path:
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(migrated.read_bytes())
    return path


@pytest.fixture
def impatient(store: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A service that waits for its store as long as a real one, in a hundredth of the time."""
    settings = JobSettings(database_url=f"sqlite:///{store}")
    database = Database(settings.database_url, wait_s=0.015)
    transcriber = FakeTranscriber()
    blobs = BlobStore(f"file://{tmp_path}/blobs")
    frontend = JobFrontend(settings, database, blobs, transcriber)
    with TestClient(create_app(services(frontend, transcriber))) as client:
        yield client


def assert_away(client: TestClient) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["store"]) == (503, False)
    refused = client.post("/v1/jobs", json=JOB)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    # What its client waits for needs no store.
    assert client.post("/", json=JOB).status_code == 200


def test_a_store_that_is_locked(impatient: TestClient, store: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_away(impatient)
    assert impatient.get("/ready").status_code == 200
    assert impatient.post("/v1/jobs", json=JOB).status_code == 202


def test_a_store_that_is_none(impatient: TestClient, store: Path) -> None:
    store.write_bytes(b"not a database" * 1000)
    assert_away(impatient)
