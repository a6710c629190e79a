"""From settings to an engine and its queue."""

import logging

import torch

from configs.settings import RecognitionSettings
from deployments.models.resolve import resolve
from deployments.recognition.device import DevicePolicy
from deployments.recognition.engine.base import Engine
from deployments.recognition.engine.sleeping import PREFIX, SleepingEngine
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.fair_queue import FairQueue, Metrics
from deployments.recognition.model.whisper import WhisperModel

log = logging.getLogger(__name__)


def build_engine(
    settings: RecognitionSettings, token: str | None = None, metrics: Metrics | None = None
) -> Engine:
    """An engine that is ready to be started; its `queue` takes the windows.

    `token` opens gated models of the hub. Raises what `resolve` and `DevicePolicy` raise.
    """
    queue = FairQueue(settings.max_queued_audio_s, metrics)
    if settings.model.startswith(PREFIX):
        return SleepingEngine.named(settings.model, queue)
    policy = DevicePolicy.choose(settings)
    if policy.device.type == "cpu":
        torch.set_num_threads(1)  # of the caller: the engine's own threads take theirs
    log.info("Recognition runs on %s.", policy.reason)
    folder = resolve(settings.model, settings.revision, token)
    return WhisperEngine(
        WhisperModel.load(folder, policy),
        queue,
        slots=settings.slots,
        encode_together=policy.encode_together,
        threads=policy.threads,
        silent_suffix=settings.silent_suffix,
        capture=settings.capture,
        metrics=metrics,
    )
