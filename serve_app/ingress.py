"""The Serve ingress: it holds the handles of the stages and serves the HTTP app."""

import asyncio
from collections.abc import Mapping

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ReplicaState

from configs.settings import Secrets, Settings
from serve_app.blobs import BlobStore
from serve_app.handles import RayAudioLoader, RaySpeakerDiarizer, RaySpeechRecognizer
from serve_app.transcription.transcriber import Transcriber


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
