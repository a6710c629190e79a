"""The files for other hosts, against the image and the settings."""

import tomllib
from pathlib import Path
from typing import Any

import dockerfile
import pytest

from configs.secrets import secret_variables
from configs.settings import PREFIX, Settings
from serve_app import __version__
from tests.unit.configs.strict import ROOT, read

HOSTS = ROOT / "configs/hosts"
STAGES = {
    command.value[-1]
    for command in dockerfile.parse_file(str(ROOT / "Dockerfile"))
    if command.cmd == "FROM"
}
COMMANDS = [
    command.value
    for command in dockerfile.parse_file(str(ROOT / "Dockerfile"))
    if command.cmd == "CMD"
]
PORT = read("configs/cpu.yaml")["http_options"]["port"]


@pytest.fixture
def fly() -> dict[str, Any]:
    return tomllib.loads((HOSTS / "fly.toml").read_text())


@pytest.fixture(params=["compose.yaml", "compose.gpu.yaml"])
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(f"configs/hosts/{request.param}")


def check_environment(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in variables.items():
        if name not in secret_variables():
            assert name.startswith(PREFIX)
            monkeypatch.setenv(name, value)
    return Settings.from_args({})


def test_fly_builds_the_image_and_finds_its_port(fly: dict[str, Any]) -> None:
    assert (HOSTS / fly["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert fly["build"]["build-target"] in STAGES
    # The image's command with another port.
    (image,) = [command for command in COMMANDS if "configs/cpu.yaml" in command]
    port = str(fly["http_service"]["internal_port"])
    assert fly["processes"]["app"].split() == [*image, "--port", port]
    assert fly["http_service"]["processes"] == ["app"]
    (check,) = fly["http_service"]["checks"]
    assert check["path"] == "/ready"  # which needs no key


def test_fly_keeps_jobs_and_recordings_on_its_volume(
    fly: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = check_environment(fly["env"], monkeypatch)
    mount = Path(fly["mounts"]["destination"])
    assert mount in Path(settings.storage.removeprefix("file://")).parents
    assert mount in Path(settings.jobs.database_url.removeprefix("sqlite:///")).parents
    # One machine, which has to run for its jobs.
    assert fly["http_service"]["auto_stop_machines"] == "off"


def test_fly_lets_in_no_more_than_the_ingress_takes(
    fly: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = check_environment(fly["env"], monkeypatch)
    assert fly["http_service"]["concurrency"]["hard_limit"] == settings.admission.max_requests


def test_compose_runs_the_image(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    service = compose["services"]["rayscribe"]
    target = service["build"]["target"]
    assert target in STAGES
    suffix = "-cpu" if target == "cpu" else ""
    assert service["image"] == f"rayscribe:{__version__}{suffix}"
    assert set(service["environment"]) <= secret_variables()
    check_environment(service["environment"], monkeypatch)
    named = {each.partition(":")[0] for each in service["volumes"]}
    assert named <= set(compose["volumes"])


def test_compose_opens_the_port_to_this_machine_alone() -> None:
    service = read("configs/hosts/compose.yaml")["services"]["rayscribe"]
    assert service["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    database = read("configs/hosts/compose.yaml")["services"]["database"]
    assert "ports" not in database
    assert service["depends_on"] == {"database": {"condition": "service_healthy"}}
