"""Which engine a model's name asks for. What the real one needs is imported only for it."""

from configs.settings import RecognitionSettings
from deployments.recognition.engine.base import Engine
from deployments.recognition.engine.sleeping import PREFIX, SleepingEngine
from deployments.recognition.fair_queue import FairQueue


def build_engine(settings: RecognitionSettings, token: str | None = None) -> Engine:
    """An engine that is ready to be started; its `queue` takes the windows.

    `token` opens gated models of the hub. Raises ValueError for a sleeping engine's name that says
    no times, and what `whisper_engine` raises.
    """
    queue = FairQueue(settings.max_queued_audio_s)
    if settings.model.startswith(PREFIX):
        return SleepingEngine.named(settings.model, queue)
    # Seconds, and 150 MB: a hundred engines that sleep go without.
    from deployments.recognition.build import whisper_engine  # noqa: PLC0415

    return whisper_engine(settings, queue, token)
