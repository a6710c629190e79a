"""One cluster for all tests that need one, with the bundled models, on loopback."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.recordings.speech import SAMPLE, SPEECH
from tests.support.running.remote import RemoteServer, remote_server
from tests.support.running.service import Service, service
from tests.support.wanting import summary

# As the diarizer's; libgomp reads it when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Where there is no GPU, Triton interprets kernels. It reads this when anybody imports it first.
if not Path("/dev/nvidiactl").exists():
    os.environ["TRITON_INTERPRET"] = "1"


def pytest_configure() -> None:
    # What a script starts in the background ignores Ctrl-C, and so would what tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # An example takes as long as whatever else runs lets it.
    settings.register_profile(
        "any time", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("any time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`models` are those that a fixture of a bundled model says are."""
    for item in items:
        if {"checkpoint", "diarizer"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("models")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all that the processor could not be asked for."""
    skipped = [
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    ]
    if line := summary(skipped):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    env = {
        "RAYSCRIBE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "RAYSCRIBE_STORAGE": f"file://{folder}/storage",
        "RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{folder}/jobs.sqlite",
        "RAYSCRIBE_FETCH__READ_TIMEOUT_S": "3",
        "RAYSCRIBE_FETCH__MAX_BYTES": str(64 * 2**20),
        "RAYSCRIBE_SPEAKERS__PROFILES": "true",
    }
    with (folder / "log").open("w") as log, service(log, env=env) as running:
        yield running


@pytest.fixture(scope="session")
def recordings_server() -> Iterator[RemoteServer]:
    """Serves the sample and, where it is there, the folder of recordings."""
    folders = [SAMPLE.parent] + ([SPEECH] if SPEECH.is_dir() else [])
    with remote_server(*folders) as server:
        yield server
