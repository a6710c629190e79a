"""One cluster for all tests that need one, with the bundled models, on loopback."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.remote import RemoteServer, remote_server
from tests.support.service import Service, service
from tests.support.speech import SAMPLE, SPEECH

# Timing decides no test.
settings.register_profile("rayscribe", deadline=None)
settings.load_profile("rayscribe")


@pytest.fixture(scope="session")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    env = {
        "RAYSCRIBE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "RAYSCRIBE_STORAGE": f"file://{folder}/storage",
        "RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{folder}/jobs.sqlite",
        "RAYSCRIBE_FETCH__READ_TIMEOUT_S": "3",
        "RAYSCRIBE_FETCH__MAX_BYTES": str(64 * 2**20),
    }
    with (folder / "log").open("w") as log, service(log, env=env) as running:
        yield running


@pytest.fixture(scope="session")
def recordings_server() -> Iterator[RemoteServer]:
    """Serves the sample and, where it is there, the folder of recordings."""
    folders = [SAMPLE.parent] + ([SPEECH] if SPEECH.is_dir() else [])
    with remote_server(*folders) as server:
        yield server
