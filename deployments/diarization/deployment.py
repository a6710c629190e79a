"""The Ray Serve deployment of diarization; the work is in `pipeline`."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import ray
from ray import serve

from configs.secrets import Secrets
from configs.settings import Settings
from deployments.autoscaling import Demand
from deployments.diarization.outstanding import Outstanding
from deployments.diarization.pipeline import Diarizer
from deployments.memory import measure_memory
from interchange import measures
from interchange.budget import within
from interchange.stages import (
    AnalysisOptions,
    DiarizationOptions,
    Int16,
    Speakers,
    Stretch,
    VoiceSample,
)
from serve_app import replica


# Each waits with the place of its samples only; the models take one stretch at a time, in an order
# that `Outstanding` sets, and voices are learned beside it.
@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    max_ongoing_requests=32,
    max_queued_requests=64,
    health_check_period_s=10,
    health_check_timeout_s=60,
    graceful_shutdown_wait_loop_s=2,
    graceful_shutdown_timeout_s=60,
)
class SpeakerDiarizer:
    """Tells the speakers of recordings apart. It keeps nothing between two calls."""

    def __init__(self, settings: Settings) -> None:
        replica.begin()
        self._waits = settings.autoscaling
        self._outstanding = Outstanding()
        self._diarizer = Diarizer(settings.diarization, Secrets().hub_token)
        self._diarizer.warm_up()
        # Beside a stretch in work: they use no model, or are short and somebody waits for them.
        self._clustering = ThreadPoolExecutor(1, thread_name_prefix="clustering")
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="voices")

    async def analyse(
        self, samples: list[ray.ObjectRef], number: int, seconds: float, options: AnalysisOptions
    ) -> bytes:
        """See `interchange.stages.SpeakerDiarizer`. The stretch's samples (int16, mono, 16 kHz) lie
        in the object store; `seconds` of them are its own.

        In a list, or Ray would fetch them before their turn. Raises OutOfTime, and what
        `Diarizer.analyse` raises.
        """
        cancelled = threading.Event()

        def work() -> bytes:
            stretch = Stretch(number, ray.get(samples[0]))
            with self._outstanding.work(seconds):
                found = self._diarizer.analyse(stretch, cancelled)
            measures.DIARIZED_AUDIO.record(seconds)
            return found

        with self._outstanding.stretch(seconds, options, work) as result:
            try:
                async with within(options.within_s):
                    return await asyncio.wrap_future(result)
            finally:
                cancelled.set()

    async def speakers(
        self, analyses: list[bytes], seconds: float, options: DiarizationOptions
    ) -> Speakers:
        """See `interchange.stages.SpeakerDiarizer`. Raises OutOfTime, and what `Diarizer.cluster`
        raises."""
        cancelled = threading.Event()
        work = self._clustering.submit(
            self._diarizer.cluster, analyses, seconds, options, cancelled
        )
        try:
            async with within(options.within_s):
                return await asyncio.wrap_future(work)
        finally:
            cancelled.set()

    async def voice(self, samples: Int16) -> VoiceSample:
        """The voice in a recording of one person. Raises what `Diarizer.voice` raises."""
        work = self._beside.submit(self._diarizer.voice, samples)
        return await asyncio.wrap_future(work)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For `deployments.autoscaling.by_seconds`, where a profile names it."""
        waits = self._waits
        load = self._outstanding.load()
        return Demand.of(load, waits.wanted_wait_s, waits.bulk_wait_s).stats()

    async def check_health(self) -> None:
        """Raises where work shows no sign of life."""
        self._diarizer.check()
        measure_memory()
