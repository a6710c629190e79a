"""Does every job survive? `make chaos`, once over SQLite and once over PostgreSQL.

Jobs of mixed length run while the replicas of every stage are killed by `kill -9` at random,
several times each. The last third of the jobs is accepted when that is over; then the whole
service is killed, and started again over what is left. In the end every job has to be completed
with the transcript of an undisturbed run, no window may have been computed twice that was kept
already, and each webhook has to have arrived, under one id, although the receiver refuses each
one's first try.
"""

import asyncio
import itertools
import json
import random
import tempfile
import time
import wave
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer

from benchmarks.measuring import results
from benchmarks.measuring.tables import table
from tests.fakes.postgres import drop_database, fresh_database, postgres_server
from tests.support.recordings.speech import SAMPLE
from tests.support.running.receiver import Receiver, webhook_receiver
from tests.support.running.remote import RemoteServer, remote_server
from tests.support.running.service import Service, service

STAGES = ("AudioLoader", "SpeechRecognizer", "SpeakerDiarizer", "JobManager", "Ingress")

CUTS = ((7.0, 5.0), (0.0, 12.0), (8.0, 8.0), (6.0, 18.0), (0.0, 30.0), (7.0, 40.0))
"""Beginning and length, in seconds, of what is cut out of the sample; past its end it begins
again."""

OPTIONS = {"speakers": True, "words": True, "language": "en"}
"""A language, so that no window is decoded again in the language of the others: each is
computed exactly once where nothing goes wrong."""

_PATIENCE_S = 900


class Failed(Exception):
    """What was promised and not kept."""


@dataclass
class Outcome:
    """What one store went through. `windows` counts computed ones over all jobs."""

    jobs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    processes_killed: int = 0
    completed_before_the_end: int = 0
    windows: int = 0
    windows_undisturbed: int = 0
    webhooks: int = 0
    tries: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class Jobs:
    """Hands jobs in and looks at them, at a service that may be away."""

    def __init__(self) -> None:
        self.service: Service | None = None

    def call(self, method: str, path: str, **how: Any) -> Any:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                assert self.service is not None
                with self.service.client(timeout=60) as client:
                    response = client.request(method, path, **how)
                if response.status_code < 500:
                    response.raise_for_status()
                    return response.json()
            except httpx2.TransportError:
                pass  # the ingress was killed, or is not up yet
            if time.monotonic() > until:
                raise Failed(f"{method} {path} was not answered within {_PATIENCE_S} s.")
            time.sleep(0.5)

    def submit(self, path: Path, remote: RemoteServer | None, hook: str | None, key: str) -> str:
        """Accept a recording by its URL, or uploaded where there is no remote server. The key
        lets it be sent again: an answer can be lost with the replica that gave it."""
        headers = {"Idempotency-Key": key}
        webhook = {"webhook": {"url": hook}} if hook else {}
        if remote is not None:
            body = OPTIONS | webhook | {"url": remote.file(path)}
            answer = self.call("POST", "/v1/jobs", json=body, headers=headers)
        else:
            data = {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in (OPTIONS | webhook).items()
            }
            files = {"file": (path.name, path.read_bytes())}
            answer = self.call("POST", "/v1/jobs", data=data, files=files, headers=headers)
        return str(answer["id"])

    def ended(self, jobs: list[str]) -> int:
        page = self.call("GET", "/v1/jobs", params={"limit": 100})["data"]
        live = {job["id"] for job in page if job["status"] in {"queued", "running"}}
        return sum(job not in live for job in jobs)

    def wait(self, jobs: list[str], count: int) -> None:
        until = time.monotonic() + _PATIENCE_S
        while (ended := self.ended(jobs)) < count:
            if time.monotonic() > until:
                raise Failed(f"Only {ended} of {len(jobs)} jobs ended within {_PATIENCE_S} s.")
            time.sleep(0.3)

    def result(self, job_id: str) -> tuple[dict[str, Any], Any]:
        """The job, and what was said in it: segments and words, their times and speakers.

        Probabilities are left out: their last digits depend on what else was in a batch.
        """
        job = self.call("GET", f"/v1/jobs/{job_id}")
        if job["status"] != "completed":
            return job, None
        document = self.call("GET", f"/v1/jobs/{job_id}/transcript")
        said = {name: document[name] for name in ("text", "language", "words", "speakers")}
        return job, said | {"segments": [_said(segment) for segment in document["segments"]]}


def _said(segment: dict[str, Any]) -> dict[str, Any]:
    return {name: segment.get(name) for name in ("start", "end", "text", "speaker")}


def chaos(store: str, env: Mapping[str, str], folder: Path, *, jobs: int, kills: int) -> Outcome:
    outcome = Outcome(jobs=jobs)
    recordings = [_cut(folder / f"{number}.wav", *cut) for number, cut in enumerate(CUTS)]
    api = Jobs()
    began = time.monotonic()
    with ExitStack() as stack:
        remote = stack.enter_context(remote_server(folder))
        receiver = stack.enter_context(webhook_receiver(refuse_first=True))
        with _running(api, env, folder, "first") as running:
            undisturbed = [
                api.result(job)
                for job in _all(api, [api.submit(r, remote, None, str(r)) for r in recordings])
            ]
            submit = partial(_submit, api, recordings, remote, receiver.url)
            accepted = [submit(number) for number in range(round(jobs * 2 / 3))]
            _kill_stages(api, running, accepted, kills, outcome)
            accepted += [submit(number) for number in range(len(accepted), jobs)]
            api.wait(accepted, round(jobs * 2 / 3))
            outcome.completed_before_the_end = api.ended(accepted)
            outcome.processes_killed = running.kill_everything()
            typer.echo(f"{store}: killed all {outcome.processes_killed} processes of the service")
        with _running(api, env, folder, "second"):
            api.wait(accepted, jobs)
            _judge(api, accepted, undisturbed, outcome)
            _judge_webhooks(accepted, receiver, outcome)
    if outcome.completed_before_the_end == jobs:
        outcome.faults.append("no job was left when the whole service was killed")
    outcome.seconds = time.monotonic() - began
    return outcome


def _submit(api: Jobs, recordings: list[Path], remote: RemoteServer, hook: str, number: int) -> str:
    """Jobs take turns at the recordings; each second one is uploaded."""
    recording = recordings[number % len(recordings)]
    return api.submit(recording, remote if number % 2 else None, hook, f"job {number}")


@contextmanager
def _running(api: Jobs, env: Mapping[str, str], folder: Path, name: str) -> Iterator[Service]:
    with (folder / f"{name}.log").open("w") as log, service(log, env=env) as running:
        api.service = running
        yield running


def _all(api: Jobs, jobs: list[str]) -> list[str]:
    api.wait(jobs, len(jobs))
    return jobs


def _kill_stages(
    api: Jobs, running: Service, accepted: list[str], kills: int, outcome: Outcome
) -> None:
    """Kill in a random order, spread over the jobs."""
    order = list(STAGES) * kills
    random.shuffle(order)
    for number, stage in enumerate(order):
        api.wait(accepted, round(number / len(order) * len(accepted)))
        time.sleep(random.uniform(0, 2))
        until = time.monotonic() + _PATIENCE_S
        while not running.kill(stage):  # the one killed before is not replaced yet
            if time.monotonic() > until:
                raise Failed(f"{stage} was not started again within {_PATIENCE_S} s.")
            time.sleep(0.2)
        outcome.kills[stage] += 1
        typer.echo(f"  killed {stage}; {api.ended(accepted)} of {len(accepted)} jobs have ended")


def _judge(api: Jobs, accepted: list[str], undisturbed: list[Any], outcome: Outcome) -> None:
    for job_id, (calm, said) in zip(accepted, itertools.cycle(undisturbed), strict=False):
        job, heard = api.result(job_id)
        outcome.windows += job["windows"]
        outcome.windows_undisturbed += calm["windows"]
        if job["status"] != "completed":
            outcome.faults.append(f"{job_id} is {job['status']}: {job['error']}")
        elif heard != said:
            differing = [name for name in said if heard[name] != said[name]]
            outcome.faults.append(f"{job_id} differs from an undisturbed run in {differing}")
        if job["windows"] != calm["windows"]:
            outcome.faults.append(
                f"{job_id} computed {job['windows']} windows; there are {calm['windows']}"
            )


def _judge_webhooks(accepted: list[str], receiver: Receiver, outcome: Outcome) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        delivered = {each.body["task_id"] for each in receiver.got if each.status == 204}
        if delivered == set(accepted):
            break
        time.sleep(0.5)
    ids: dict[str, set[str]] = {}
    for each in receiver.got:
        ids.setdefault(each.body["task_id"], set()).add(each.headers["webhook-id"])
        if each.body["status"] != "completed":
            outcome.faults.append(f"{each.body['task_id']} was announced as {each.body}")
    outcome.webhooks, outcome.tries = len(delivered), len(receiver.got)
    for job in accepted:
        if job not in delivered:
            outcome.faults.append(f"the webhook of {job} did not arrive")
        if len(ids.get(job, ())) > 1:
            outcome.faults.append(f"the webhook of {job} has several ids: {ids[job]}")


def _cut(path: Path, start: float, length: float) -> Path:
    """Write a part of the sample, which goes round and round."""
    with wave.open(str(SAMPLE)) as sample:
        parameters = sample.getparams()
        content = sample.readframes(parameters.nframes)
    frame = parameters.sampwidth * parameters.nchannels
    begin, size = (round(each * parameters.framerate) * frame for each in (start, length))
    with wave.open(str(path), "wb") as output:
        output.setparams(parameters)
        output.writeframes((content * (1 + (begin + size) // len(content)))[begin : begin + size])
    return path


@contextmanager
def _store(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """The variables that name an empty store."""
    if kind == "sqlite":
        yield {"RAYSCRIBE_JOBS__DATABASE_URL": f"sqlite:///{folder}/jobs.sqlite"}
        return
    with postgres_server() as server:
        url = asyncio.run(fresh_database(server))
        yield {"RAYSCRIBE_DATABASE_URL": url}
        asyncio.run(drop_database(server, url))


def main(
    jobs: Annotated[int, typer.Option(min=1, help="Jobs in each store.")] = 30,
    kills: Annotated[int, typer.Option(min=1, help="Kills of each stage.")] = 3,
    stores: Annotated[str, typer.Option(help="Which, separated by commas.")] = "sqlite,postgresql",
    seed: Annotated[int | None, typer.Option(help="Repeats an order of kills.")] = None,
) -> None:
    """Kill replicas and the service while jobs run; exit 1 where anything was lost."""
    seed = random.randrange(10**6) if seed is None else seed
    random.seed(seed)
    outcomes: dict[str, Outcome] = {}
    for kind in stores.split(","):
        typer.echo(f"{kind}: {jobs} jobs, {kills} kills of each stage, seed {seed}")
        with (
            tempfile.TemporaryDirectory(prefix="rayscribe-chaos-") as name,
            _store(kind, Path(name)) as store,
        ):
            env = {
                "RAYSCRIBE_ALLOWED_NETWORKS": "127.0.0.0/8",
                "RAYSCRIBE_STORAGE": f"file://{name}/storage",
                # Short windows and leases: more to lose, and less to wait for.
                "RAYSCRIBE_AUDIO__WINDOW_S": "8",
                "RAYSCRIBE_JOBS__LEASE_S": "10",
                "RAYSCRIBE_JOBS__RETRY_DELAY_S": "1",
                "RAYSCRIBE_WEBHOOKS__FIRST_DELAY_S": "1",
                **store,
            }
            outcomes[kind] = chaos(kind, env, Path(name), jobs=jobs, kills=kills)
    _report(outcomes, seed)


def _report(outcomes: Mapping[str, Outcome], seed: int) -> None:
    headings = ["store", "jobs", "kills", "ended before the end", "windows", "undisturbed"]
    rows: list[list[str | int | float | None]] = [
        [
            *(kind, o.jobs, o.kills.total(), o.completed_before_the_end),
            *(o.windows, o.windows_undisturbed, o.webhooks, o.tries, round(o.seconds)),
            len(o.faults),
        ]
        for kind, o in outcomes.items()
    ]
    typer.echo("\n" + table([*headings, "webhooks", "tries", "seconds", "faults"], rows))
    typer.echo("Each stage was killed, by `kill -9`:")
    for kind, outcome in outcomes.items():
        typer.echo(f"  {kind}: {dict(outcome.kills)}")
    for kind, outcome in outcomes.items():
        for fault in outcome.faults:
            typer.echo(f"{kind}: {fault}", err=True)
    found = {kind: vars(outcome) for kind, outcome in outcomes.items()}
    typer.echo(f"Written to {results.write('chaos', {'seed': seed, 'stores': found})}")
    if any(outcome.faults for outcome in outcomes.values()):
        raise typer.Exit(1)
    typer.echo("Nothing was lost, and nothing was done twice.")


if __name__ == "__main__":
    typer.run(main)
