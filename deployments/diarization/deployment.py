"""The Ray Serve deployment of diarization; the work is in `pipeline`."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
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
from interchange.stages import SAMPLE_RATE, DiarizationOptions, Int16, Speakers, VoiceSample
from serve_app import replica


# The models take one recording at a time; a second one may wait, and voices be learned beside.
@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    max_ongoing_requests=4,
    max_queued_requests=64,
    health_check_period_s=10,
    health_check_timeout_s=60,
    graceful_shutdown_wait_loop_s=2,
    graceful_shutdown_timeout_s=60,
)
class SpeakerDiarizer:
    """Tells the speakers of whole recordings apart."""

    def __init__(self, settings: Settings) -> None:
        replica.begin()
        self._waits = settings.autoscaling
        self._outstanding = Outstanding()
        self._diarizer = Diarizer(settings.diarization, Secrets().hub_token)
        self._diarizer.warm_up()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="diarization")
        # Somebody waits for a voice: it goes beside the recording in work, and is short.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="voices")

    async def diarize(
        self, blocks: list[ray.ObjectRef], seconds: float, options: DiarizationOptions
    ) -> Speakers:
        """The speakers of a recording of so many seconds, whose blocks (int16, mono, 16 kHz) lie in
        the object store.

        Cancelling the call stops the work within a batch, and so does the end of the request's
        time. Raises OutOfTime, and what `Diarizer.speakers` raises.
        """
        cancelled = threading.Event()
        with self._outstanding.recording(seconds, options.priority):
            work = self._thread.submit(self._speakers, blocks, options, cancelled)
            try:
                async with within(options.within_s):
                    return await asyncio.wrap_future(work)
            finally:
                cancelled.set()

    def _speakers(
        self, blocks: list[ray.ObjectRef], options: DiarizationOptions, cancelled: threading.Event
    ) -> Speakers:
        waveform = _joined(blocks)
        seconds = len(waveform) / SAMPLE_RATE
        with self._outstanding.work(seconds):
            found = self._diarizer.speakers(waveform, options, cancelled)
        measures.DIARIZED_AUDIO.record(seconds)
        return found

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
        """Raises where a recording in work shows no sign of life."""
        self._diarizer.check()
        measure_memory()


def _joined(blocks: list[ray.ObjectRef]) -> Int16:
    """One array of all blocks: each is read and let go before the next."""
    lengths = [len(ray.get(block)) for block in blocks]
    waveform = np.empty(sum(lengths), np.int16)
    position = 0
    for block, length in zip(blocks, lengths, strict=True):
        waveform[position : position + length] = ray.get(block)
        position += length
    return waveform
