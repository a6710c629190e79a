"""The Ray Serve deployment of recognition; the work is in the engine and its queue."""

from ray import serve

from configs.secrets import Secrets
from configs.settings import Settings
from deployments.autoscaling import Demand
from deployments.memory import measure_memory
from deployments.recognition.build import build_engine
from deployments.scheduling import compute
from interchange.budget import within
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import WindowTranscript
from serve_app import replica


# The queue inside bounds what waits, by seconds of audio: Serve may hand over all it has.
@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    max_ongoing_requests=1024,
    max_queued_requests=4096,
    health_check_period_s=10,
    health_check_timeout_s=60,
    graceful_shutdown_wait_loop_s=2,
    graceful_shutdown_timeout_s=60,
)
class SpeechRecognizer:
    """Recognizes windows of all requests in one running batch."""

    def __init__(self, settings: Settings) -> None:
        replica.begin()
        compute()
        self._waits = settings.autoscaling
        self._engine = build_engine(settings.recognition, Secrets().hub_token)
        self._engine.start()

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        async with within(options.within_s):
            return await self._engine.queue.recognize(window, options)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For `deployments.autoscaling.by_seconds`, where a profile names it."""
        waits = self._waits
        load = self._engine.queue.load()
        return Demand.of(load, waits.wanted_wait_s, waits.bulk_wait_s).stats()

    async def check_health(self) -> None:
        """Raises where the engine's thread has ended or no longer moves."""
        self._engine.check()
        measure_memory()

    def __del__(self) -> None:
        if hasattr(self, "_engine"):
            self._engine.stop()
