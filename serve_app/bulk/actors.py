"""A batch on Ray: each worker is an actor with the whole flow in its process, each diarizer an
actor beside it.

Windows do not leave the process in which they were cut: where nobody waits for a single
recording, a hop for each of them would buy nothing. A diarizer has a process of its own, as in
the graph: torch's threads, and what a GPU records, are a process's.
"""

import asyncio
import logging
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorUnavailableError, RayActorError
from ray.serve.schema import ServeDeploySchema

from configs.secrets import Secrets
from configs.settings import RecognitionSettings, Settings
from deployments.audio.loader import Loader
from deployments.diarization.deployment import SpeakerDiarizer
from deployments.recognition.engine.base import Engine
from deployments.recognition.engines import build_engine
from deployments.scheduling import compute
from interchange.errors import Unavailable
from interchange.files.anywhere import Anywhere
from serve_app.batch.run import BatchFailed, WorkerLost
from serve_app.batch.worker import Outcome, Worker
from serve_app.handles import RaySpeakerDiarizer
from serve_app.reporting import report
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import Transcriber

log = logging.getLogger(__name__)

_WATCH_S = 30.0
_RETRY_S = 1.0
_DIARIZER_TRIES = 3


@dataclass(frozen=True, slots=True)
class Reservation:
    """What Ray sets aside for an actor."""

    num_cpus: float
    num_gpus: float

    def options(self, **others: Any) -> dict[str, Any]:
        return {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "max_restarts": -1, **others}


@dataclass(frozen=True, slots=True)
class Staff:
    """A profile as a batch reads it: a worker reserves what its loader and its recognizer do.

    Each stage has to say what it reserves, as those of `configs/` do.
    """

    settings: Settings
    worker: Reservation
    diarizer: Reservation

    @classmethod
    def of(cls, profile: ServeDeploySchema) -> "Staff":
        application = profile.applications[0]
        stages = {each.name: each.ray_actor_options for each in application.deployments}
        loader, recognizer, diarizer = (
            Reservation(stages[name].num_cpus or 0, stages[name].num_gpus or 0)
            for name in ("AudioLoader", "SpeechRecognizer", "SpeakerDiarizer")
        )
        worker = Reservation(loader.num_cpus + recognizer.num_cpus, recognizer.num_gpus)
        return cls(Settings.from_args(application.args), worker, diarizer)

    def places(self, *, speakers: bool) -> int:
        """How many workers the cluster has room for: one a card, or one a machine without any.

        Raises BatchFailed where there is none: Ray would wait in silence.
        """
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = self.worker.num_gpus + (self.diarizer.num_gpus if speakers else 0)
        if gpus:
            found = int(sum(node.get("GPU", 0) for node in nodes) / gpus + 1e-6)
        else:
            found = sum(node.get("CPU", 0) >= self.worker.num_cpus for node in nodes)
        if not found:
            raise BatchFailed(
                f"The profile asks for {self.worker.num_cpus:g} CPUs and {gpus:g} GPUs a worker, "
                "which no machine here has: choose another by --profile."
            )
        return found


class RayWorker:
    """A worker in an actor, as the batch calls it."""

    def __init__(self, actor: ActorHandle, diarizer: ActorHandle | None) -> None:
        self._actor = actor
        self._diarizer = diarizer  # without a handle here it would go with its worker

    async def up(self) -> None:
        while True:
            try:
                return await self._actor.ready.remote()  # type: ignore[no-any-return]
            except ActorUnavailableError:
                await asyncio.sleep(_RETRY_S)
            except RayActorError as error:
                raise BatchFailed(f"A worker cannot be started. {error}") from error

    async def transcribe(self, path: str) -> Outcome:
        try:
            outcome: Outcome = await self._actor.transcribe.remote(path)
        except RayActorError as lost:
            raise WorkerLost from lost
        return outcome


def workers(staff: Staff, asked: TranscriptionRequest, count: int) -> list[RayWorker]:
    """So many, which start while this returns; with a diarizer each where speakers are asked
    for."""
    spread = {} if staff.worker.num_gpus else {"scheduling_strategy": "SPREAD"}
    plain: Any = SpeakerDiarizer  # which a type checker sees as if Serve had not wrapped it
    diarizing = ray.remote(plain.func_or_class)
    reserved = staff.diarizer.options(max_task_retries=_DIARIZER_TRIES, **spread)
    working = ray.remote(BatchWorker).options(**staff.worker.options(**spread))
    found = []
    for _ in range(count):
        diarizer = name = None
        if asked.speakers:
            # By a name and not by a handle, which a worker that is started anew might not get.
            name = f"diarizer-{uuid.uuid4().hex}"
            diarizer = diarizing.options(name=name, **reserved).remote(staff.settings)
        found.append(RayWorker(working.remote(staff.settings, asked, name), diarizer))
    return found


class BatchWorker:
    """The stages in one process, behind the transcriber that the graph uses."""

    def __init__(
        self, settings: Settings, asked: TranscriptionRequest, diarizer: str | None
    ) -> None:
        """`diarizer` is the name of its actor, where speakers are asked for."""
        report()
        self._diarizer = ray.get_actor(diarizer) if diarizer else None
        # Threads start as what starts them is: only the engine interrupts others.
        with ThreadPoolExecutor(1, initializer=compute) as starter:
            self._engine = starter.submit(_started, settings.recognition).result()
        transcriber = Transcriber(
            Loader(settings, files=Anywhere()),
            self._engine.queue,
            RaySpeakerDiarizer(self._diarizer),
            windows_in_flight=settings.windows_in_flight,
            voice_model=settings.diarization.voice_model,
        )
        self._worker = Worker(transcriber, asked)
        self._watch: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Answers once the models are loaded."""
        self._watch = self._watch or asyncio.create_task(self._look())

    async def transcribe(self, path: str) -> Outcome:
        return await self._worker.transcribe(path)

    async def _look(self) -> None:
        """End what no longer moves, as Serve's health checks do in the graph: only a fresh process
        can be trusted."""
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                self._engine.check()
            except Unavailable:
                log.exception("The worker ends, for another to take its place.")
                os._exit(1)
            if self._diarizer is not None:
                try:
                    await self._diarizer.check_health.remote()
                except Unavailable:
                    log.exception("The diarizer is started anew.")
                    ray.kill(self._diarizer, no_restart=False)
                except RayActorError:
                    continue  # it is being started anew


def _started(settings: RecognitionSettings) -> Engine:
    engine = build_engine(settings, Secrets().hub_token)
    engine.start()
    return engine
