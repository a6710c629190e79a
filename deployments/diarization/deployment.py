"""The Ray Serve deployment of diarization; the work is in `pipeline`."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import ray
from ray import serve

from configs.secrets import Secrets
from configs.settings import Settings
from deployments.diarization.pipeline import Diarizer
from deployments.memory import measure_memory
from interchange import measures
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
        self._diarizer = Diarizer(settings.diarization, Secrets().hub_token)
        self._diarizer.warm_up()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="diarization")
        # Somebody waits for a voice: it goes beside the recording in work, and is short.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="voices")

    async def diarize(self, blocks: list[ray.ObjectRef], options: DiarizationOptions) -> Speakers:
        """The speakers of the recording whose blocks (int16, mono, 16 kHz) lie in the object store.

        Cancelling the call stops the work within a batch. Raises what `Diarizer.speakers` raises.
        """
        cancelled = threading.Event()
        work = self._thread.submit(self._speakers, blocks, options, cancelled)
        try:
            return await asyncio.wrap_future(work)
        finally:
            cancelled.set()

    def _speakers(
        self, blocks: list[ray.ObjectRef], options: DiarizationOptions, cancelled: threading.Event
    ) -> Speakers:
        waveform = _joined(blocks)
        found = self._diarizer.speakers(waveform, options, cancelled)
        measures.DIARIZED_AUDIO.record(len(waveform) / SAMPLE_RATE)
        return found

    async def voice(self, samples: Int16) -> VoiceSample:
        """The voice in a recording of one person. Raises what `Diarizer.voice` raises."""
        work = self._beside.submit(self._diarizer.voice, samples)
        return await asyncio.wrap_future(work)

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
