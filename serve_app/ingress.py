"""The Serve ingress: it holds the handles of the stages and serves the HTTP app."""

import asyncio
from collections.abc import Mapping

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ReplicaState

from configs.settings import Secrets, Settings
from deployments.audio.live_voice import LiveVoice
from deployments.models.resolve import gated
from interchange.blobs import BlobStore
from interchange.stages import SpeechDetection
from serve_app.handles import RaySpeakerDiarizer, RaySpeechRecognizer, ray_transcriber, ray_voices
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig, Services
from serve_app.jobs.frontend import JobFrontend
from serve_app.jobs.store.configured import configured_database
from serve_app.live.service import LiveService


class ServeReadiness:
    """Which stages have a replica that is up, as the Serve controller sees them."""

    def __init__(self, app_name: str, stages: tuple[str, ...]) -> None:
        self._app_name = app_name
        self._stages = stages

    async def stages(self) -> Mapping[str, bool]:
        status = await asyncio.to_thread(serve.status)
        deployments = status.applications[self._app_name].deployments
        return {
            stage: deployments[stage].replica_states.get(ReplicaState.RUNNING, 0) > 0
            for stage in self._stages
        }


@serve.deployment(
    name="Ingress",
    max_ongoing_requests=256,
    max_queued_requests=256,
    graceful_shutdown_timeout_s=20,
    ray_actor_options={"num_cpus": 0},
)
@serve.ingress()
class Ingress:
    """What clients reach. Its only work is to find the speech in live audio, 3 ms a second of it,
    so it reserves no CPU."""

    def __init__(
        self,
        settings: Settings,
        loader: DeploymentHandle,
        recognizer: DeploymentHandle,
        diarizer: DeploymentHandle,
        jobs: DeploymentHandle,
    ) -> None:
        secrets = Secrets()
        stages = (loader, recognizer, diarizer, jobs)
        blobs = BlobStore(settings.storage, most_bytes=settings.fetch.max_disk_bytes)
        transcriber = ray_transcriber(loader, recognizer, diarizer, settings.windows_in_flight)
        self._services = Services(
            config=HttpConfig(
                model=settings.recognition.model,
                admin_key=secrets.admin_key,
                fly_machine_id=secrets.fly_machine_id,
                gated_without_token=gated(settings.diarization.model) and not secrets.hub_token,
                max_upload_bytes=settings.fetch.max_bytes,
            ),
            transcriber=transcriber,
            uploads=blobs,
            voices=ray_voices(loader, diarizer),
            jobs=JobFrontend(
                settings.jobs,
                configured_database(settings.jobs, secrets),
                blobs,
                transcriber,
                notify=lambda: _wake(jobs),
            ),
            live=LiveService(
                settings.live,
                RaySpeechRecognizer(recognizer),
                RaySpeakerDiarizer(diarizer),
                LiveVoice,
                SpeechDetection(settings.audio.vad_threshold, silence_s=0.5, padding_s=0.3),
            ),
            readiness=ServeReadiness(
                serve.get_replica_context().app_name,
                tuple(stage.deployment_name for stage in stages),
            ),
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._services)


def _wake(jobs: DeploymentHandle) -> None:
    """Tell a job manager to look into the store, which it does by itself soon enough: nobody
    waits for the answer."""
    jobs.wake.remote()
