"""The Serve ingress: it holds the handles of the stages and serves the HTTP app."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import DeploymentStatus, DeploymentStatusOverview, ReplicaState

from configs.secrets import Secrets
from configs.settings import Settings
from deployments.audio.speech.live_voice import LiveVoice
from deployments.models.resolve import gated
from interchange.files.blobs import BlobStore
from interchange.stages import SpeechDetection
from serve_app import replica
from serve_app.handles import (
    RayAudioLoader,
    RaySpeakerDiarizer,
    RaySpeechRecognizer,
    ray_transcriber,
    ray_voices,
)
from serve_app.http.app import create_app
from serve_app.http.intake.watch import StageWatch
from serve_app.http.services import HttpConfig, Services
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.configured import configured_database
from serve_app.jobs.store.profiles import ProfileStore
from serve_app.live.service import LiveService
from serve_app.profiles import Identifying
from serve_app.transcription.admission import Admission, AdmittedTranscriber

_STORE_WAIT_S = 1.5
"""A client is told of a store that is locked within two seconds."""

_ROOM_BYTES = 256 * 2**20


class ServeReadiness:
    """Which stages have a replica that is up, as the Serve controller sees them; and the disks
    under `folders`."""

    def __init__(self, app_name: str, stages: tuple[str, ...], folders: tuple[Path, ...]) -> None:
        self._app_name = app_name
        self._stages = stages
        self._folders = folders

    async def disk(self) -> bool:
        return await asyncio.to_thread(
            lambda: all(_free(folder) >= _ROOM_BYTES for folder in self._folders)
        )

    async def stages(self) -> Mapping[str, bool]:
        status = await asyncio.to_thread(serve.status)
        deployments = status.applications[self._app_name].deployments
        return {stage: _up(deployments[stage]) for stage in self._stages}


@serve.deployment(
    name="Ingress",
    max_ongoing_requests=1024,
    max_queued_requests=1024,
    graceful_shutdown_timeout_s=20,
    ray_actor_options={"num_cpus": 0},
)
@serve.ingress()
class Ingress:
    """What clients reach. Its only work is to find the speech in live audio, a hundredth
    of a core a session, so it reserves no CPU."""

    def __init__(
        self,
        settings: Settings,
        loader: DeploymentHandle,
        recognizer: DeploymentHandle,
        diarizer: DeploymentHandle,
        jobs: DeploymentHandle,
    ) -> None:
        replica.begin()
        secrets = Secrets()
        stages = (loader, recognizer, diarizer, jobs)
        blobs = BlobStore(settings.storage, most_bytes=settings.fetch.max_disk_bytes)
        admission = Admission(
            settings.admission.max_wait_s,
            settings.admission.expected_rate,
            always_s=settings.admission.always_s,
        )
        database = configured_database(settings.jobs, secrets, wait_s=_STORE_WAIT_S)
        profiles = ProfileStore(database) if settings.speakers.profiles else None
        voice_model = settings.diarization.voice_model
        transcriber = AdmittedTranscriber(
            Identifying(
                ray_transcriber(loader, recognizer, diarizer, settings),
                profiles,
                voice_model,
            ),
            admission,
        )
        readiness = ServeReadiness(
            serve.get_replica_context().app_name,
            tuple(stage.deployment_name for stage in stages),
            _folders(settings.storage),
        )
        self._services = Services(
            config=HttpConfig(
                model=settings.recognition.model,
                voice_model=voice_model,
                admin_key=secrets.admin_key,
                keys_file=settings.keys_file,
                fly_machine_id=secrets.fly_machine_id,
                gated_without_token=gated(settings.diarization.model) and not secrets.hub_token,
                max_upload_bytes=settings.fetch.max_bytes,
                max_requests=settings.admission.max_requests,
                max_request_s=settings.admission.max_request_s,
                min_upload_bytes_s=settings.admission.min_upload_bytes_s,
                cors_origins=settings.cors_origins,
            ),
            transcriber=transcriber,
            uploads=blobs,
            remote=RayAudioLoader(loader),
            voices=ray_voices(loader, diarizer),
            jobs=JobFrontend(
                settings.jobs, database, blobs, transcriber, notify=lambda: _wake(jobs)
            ),
            profiles=profiles,
            readiness=readiness,
            admission=admission,
            watch=StageWatch(readiness),
            live=LiveService(
                settings.live,
                RaySpeechRecognizer(recognizer),
                RaySpeakerDiarizer(diarizer),
                LiveVoice,
                SpeechDetection(settings.audio.vad_threshold, silence_s=0.5, padding_s=0.3),
                heard=admission.usage.add,
            ),
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._services)


def _up(deployment: DeploymentStatusOverview) -> bool:
    """Whether a replica is up, or there is none because none is needed: the next request wakes
    one."""
    scaled = {DeploymentStatus.HEALTHY, DeploymentStatus.UPSCALING, DeploymentStatus.DOWNSCALING}
    running = deployment.replica_states.get(ReplicaState.RUNNING, 0) > 0
    return running or deployment.status in scaled


def _folders(storage: str) -> tuple[Path, ...]:
    """Those of this machine that recordings are written to."""
    kind, _, path = storage.partition("://")
    own = (Path(path),) if kind == "file" else ()
    return (*own, Path(tempfile.gettempdir()))


def _free(folder: Path) -> int:
    """Bytes that can be written there, in a folder that may not have been made yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _wake(jobs: DeploymentHandle) -> None:
    """Tell a job manager to look into the store, which it does by itself soon enough: nobody
    waits for the answer."""
    jobs.wake.remote()
