"""Start the graph of a profile on this machine and stay with it: what `make serve` and
`rayscribe serve` run.

Beside `serve run`, it refuses a port in use before anything starts, says which stage is ready
and which failed, and needs neither Ray's dashboard nor its memory.
"""

import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

# Ray reads these when it is first imported. The token keeps other users of this machine out of
# the cluster's own ports; nobody has to know it, and the HTTP port does not ask for it.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# What a large cluster has to look after many times a second is felt on two cores, where a graph
# at rest would take an eighth of one.
os.environ.setdefault("RAY_SERVE_CONTROL_LOOP_INTERVAL_S", "1")
os.environ.setdefault("RAY_SERVE_METRICS_EXPORT_INTERVAL_MS", "2000")
os.environ.setdefault("REPORTER_UPDATE_INTERVAL_MS", "30000")
# A replica that failed three checks of health has hung: asked to end, it would hold its requests
# for as long as a healthy one may take to finish them (`graceful_shutdown_timeout_s`).
os.environ.setdefault("RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS", "1")
# On a busy machine the proxy takes longer than the five seconds after which it is started anew.
os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "30")
# What stands around Serve's HTTP proxy; without it strangers speak to Serve itself.
os.environ.setdefault(
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH", "serve_app.http.gate.proxy:middlewares"
)
os.environ.setdefault("RAY_LOG_MONITOR_MANY_FILES_THRESHOLD", "0")  # looks for files twice a second
# glibc gives each thread that waits for another a heap of its own, up to eight for a core, and what
# was held for one recording stays in pieces all over them.
os.environ.setdefault("MALLOC_ARENA_MAX", "2")

import ray
import typer
import yaml
from ray import serve
from ray._private import services
from ray.serve.schema import ApplicationStatus, ServeDeploySchema

import configs
from configs.settings import Settings
from deployments.models import torchaudio_mend
from deployments.models.bundled import PREFIX as BUNDLED
from deployments.scheduling import give_way
from serve_app.session_folder import FolderRefused, session_folder

_LOOPBACK = "127.0.0.1"

_POLL_S = 0.5
_WATCH_S = 20.0
"""Between looks at the stages, each of which takes 40 ms of a core."""

_DRAIN_S = 6.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FAILED = (ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY)


PAGE = "/"
"""What a person opens in a browser."""


class StartFailed(Exception):
    """The service did not come up. The message says why."""


class _Stop(BaseException):
    """The user or the system asked for an end. Not an Exception: nothing may swallow it."""


def main(
    config: Annotated[str, typer.Argument(help="A profile, such as configs/cpu.yaml.")],
    port: Annotated[int | None, typer.Option(help="Listen on this port.")] = None,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard (about 1 GB).")] = False,
    logs: Annotated[bool, typer.Option(help="Show the replicas' logs here.")] = False,
    metrics_port: Annotated[int, typer.Option(help="Prometheus finds metrics here; 0: any.")] = 0,
) -> None:
    """Start the graph and serve until Ctrl-C. `config` is the file of a profile, or its name."""
    for number in _SIGNALS:
        signal.signal(number, _stop)
    try:
        profile = load(profile_path(config), port)
        check_port(profile.http_options.host, profile.http_options.port)
        with local_cluster(dashboard=dashboard, logs=logs, metrics_port=metrics_port):
            for number in _SIGNALS:  # Ray put a handler of its own
                signal.signal(number, _stop)
            deploy(profile)
            _announce(profile)
            _watch(profile)
    except StartFailed as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except _Stop:
        typer.echo("Stopped.")


def profile_path(profile: str) -> Path:
    """The file of that path, or the profile of that name which is installed with the program."""
    installed = Path(configs.__file__).parent / f"{profile}.yaml"
    return installed if not Path(profile).is_file() and installed.is_file() else Path(profile)


def prepare(profile: str) -> None:
    """Have in place what `make serve` sets up: what is bundled, and a torchaudio that imports.

    A process of its own fetches the models, so that the memory it takes is given back.
    """
    try:
        torchaudio_mend.mend()
        application = load(profile_path(profile), None).applications[0]
        settings = Settings.from_args(application.args)
    except (RuntimeError, ValueError, StartFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    named = (settings.recognition.model, settings.diarization.model)
    if models := [model for model in named if model.startswith(BUNDLED)]:
        typer.echo("Checking the bundled models")
        fetch = [sys.executable, "-m", "deployments.models", "fetch", *models]
        if code := subprocess.run(fetch, check=False).returncode:
            raise typer.Exit(code)


def load(path: Path, port: int | None) -> ServeDeploySchema:
    """The profile of a YAML file; `port` replaces its HTTP port. Raises StartFailed."""
    try:
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        if port is not None:
            content.setdefault("http_options", {})["port"] = port
        return ServeDeploySchema.model_validate(content)
    except OSError as error:
        raise StartFailed(f"The profile {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise StartFailed(f"{path} is not a profile that Serve can use: {error}") from error


def check_port(host: str, port: int) -> None:
    """Raise StartFailed where the port cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # Without it a port whose last connections still linger would count as used.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise StartFailed(
                f"Port {port} of {host} cannot be used ({error}). Stop what listens there, or "
                "choose another port: make serve PORT=8001, or rayscribe serve --port 8001."
            ) from error


@contextmanager
def local_cluster(
    *, dashboard: bool = False, logs: bool = False, metrics_port: int = 0
) -> Iterator[None]:
    """Ray on this machine, for as long as the block lasts. Raises StartFailed."""
    typer.echo("Starting Ray")
    give_way()
    stay_on_loopback()
    try:
        with session_folder() as folder:
            yield from _ray(folder, dashboard=dashboard, logs=logs, metrics_port=metrics_port)
    except FolderRefused as error:
        raise StartFailed(str(error)) from error


@contextmanager
def joined_cluster(address: str) -> Iterator[None]:
    """The Ray of that address, for as long as the block lasts. Raises StartFailed."""
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, ValueError) as error:
        raise StartFailed(f"No Ray cluster answers at {address}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _ray(folder: Path, *, dashboard: bool, logs: bool, metrics_port: int) -> Iterator[None]:
    try:
        ray.init(
            _temp_dir=str(folder),
            address="local",  # never a cluster that happens to run here
            namespace="serve",
            include_dashboard=dashboard,
            log_to_driver=logs,
            logging_level=logging.WARNING,
            _node_ip_address=_LOOPBACK,
            _metrics_export_port=metrics_port or None,
        )
        yield
    finally:
        _shut_down()


def stay_on_loopback() -> None:
    """Have Ray bind its own ports to the loopback address, where no other machine reaches them.

    It takes that address for a slip, and puts the machine's own in its place: its ports would be
    open on all interfaces. It has no setting for this on Linux; elsewhere it is its own way.
    """
    if services.resolve_ip_for_localhost(_LOOPBACK) != _LOOPBACK:
        services.resolve_ip_for_localhost = lambda host: host


def _shut_down() -> None:
    """Let replicas, if there are any, finish for a moment, then stop Ray with all its processes.

    A second signal skips the moment.
    """
    if not ray.is_initialized():
        return
    try:
        if serve.status().applications:
            typer.echo("Stopping; press Ctrl-C again to stop at once")
            _drain(time.monotonic() + _DRAIN_S)
    except (_Stop, ray.exceptions.RayError) as error:
        if not isinstance(error, _Stop):
            typer.echo(f"The stages could not be asked to finish: {error}", err=True)
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # nothing may be left behind
        ray.shutdown()


def _drain(deadline: float) -> None:
    for name in serve.status().applications:
        serve.delete(name, _blocking=False)
    while serve.status().applications and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def deploy(profile: ServeDeploySchema) -> None:
    """Start the graph on the Ray that this process is in, and wait for it. Raises StartFailed."""
    started = time.monotonic()
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    typer.echo("Starting the stages: their models load and warm up")
    serve.start(
        proxy_location=profile.proxy_location, http_options=profile.http_options.model_dump()
    )
    # What `serve run` does with a file; there is no public name for it.
    client = serve.context._get_global_client()
    client.deploy_apps(profile)
    ready: set[str] = set()
    while True:
        applications = serve.status().applications
        for application in applications.values():
            for name, deployment in application.deployments.items():
                if deployment.status == "HEALTHY" and name not in ready:
                    ready.add(name)
                    typer.echo(f"  {name} is ready after {time.monotonic() - started:.0f} s")
            if application.status in _FAILED:
                raise StartFailed(_reason(application))
        states = {application.status for application in applications.values()}
        if len(applications) == len(profile.applications) and states == {ApplicationStatus.RUNNING}:
            return
        time.sleep(_POLL_S)


def _reason(application: Any) -> str:
    parts = [application.message]
    parts += [f"{name}: {d.message}" for name, d in application.deployments.items() if d.message]
    return "The service did not start.\n" + "\n".join(parts)


def _announce(profile: ServeDeploySchema) -> None:
    host, port = profile.http_options.host, profile.http_options.port
    for line in announcement(host, port, with_key="ADMIN_KEY" in os.environ):
        typer.echo(line)


def announcement(host: str, port: int, *, with_key: bool) -> list[str]:
    """What a person does next: a page to open, and a command that works as it stands."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    command = shlex.join([*_rayscribe(), "transcribe", _sample(), "--speakers"])
    server = "" if address == "http://127.0.0.1:8000" else f" --server {address}"
    key = ' --api-key "$ADMIN_KEY"' if with_key else ""
    return [
        "Rayscribe is ready; Ctrl-C stops it. Try it from another terminal:",
        f"  {command}{server}{key}",
        f"Or open {address}{PAGE}",
    ]


def _rayscribe() -> list[str]:
    """How the command is called from here: it lies beside this Python."""
    script = Path(sys.executable).with_name("rayscribe")
    if not script.is_file():
        return [sys.executable, "-m", "serve_app"]
    if shutil.which("rayscribe") == str(script):
        return ["rayscribe"]
    return [_from_here(script)]


def _from_here(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _sample() -> str:
    """A recording that is certainly here: pyannote.audio installs one."""
    spec = find_spec("pyannote.audio")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        sample = Path(folder) / "sample" / "sample.wav"
        if sample.is_file():
            return _from_here(sample)
    return "recording.wav"


def _watch(profile: ServeDeploySchema) -> None:
    """Tell of a stage that falls ill or recovers, until a signal ends it."""
    last: dict[str, str] = {}
    quiet = threading.Event()
    while not quiet.wait(_WATCH_S):
        for application in serve.status().applications.values():
            for name, deployment in application.deployments.items():
                status = str(deployment.status)
                if last.setdefault(name, status) != status:
                    typer.echo(f"{name} is {status}. {deployment.message}".rstrip())
                last[name] = status


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stop


if __name__ == "__main__":
    typer.run(main)
