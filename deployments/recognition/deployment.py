"""The Ray Serve deployment of recognition; the work is in the engine and its queue."""

from ray import serve
from ray.serve import metrics

from configs.settings import Secrets, Settings
from deployments.recognition.build import build_engine
from deployments.scheduling import compute
from interchange.discreet import keep_recordings_out_of_logs
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import WindowTranscript


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
        keep_recordings_out_of_logs()
        compute()
        self._engine = build_engine(settings.recognition, Secrets().hub_token, _ServeMetrics())
        self._engine.start()

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        return await self._engine.queue.recognize(window, options)

    async def check_health(self) -> None:
        """Raises where the engine's thread has ended or no longer moves."""
        self._engine.check()

    def __del__(self) -> None:
        if hasattr(self, "_engine"):
            self._engine.stop()


class _ServeMetrics:
    """The engine's figures as metrics of the replica."""

    def __init__(self) -> None:
        seconds = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000]
        self._wait = metrics.Histogram(
            "rayscribe_recognition_wait_seconds",
            description="Time a window waited for a slot.",
            boundaries=seconds,
        )
        self._windows = metrics.Gauge(
            "rayscribe_recognition_queued_windows", description="Windows that wait for a slot."
        )
        self._audio = metrics.Gauge(
            "rayscribe_recognition_queued_audio_seconds",
            description="Seconds of audio that wait for a slot.",
        )
        self._rows = metrics.Histogram(
            "rayscribe_recognition_batch_rows",
            description="Rows of a decoding step.",
            boundaries=[1, 2, 4, 8, 16, 32, 64, 128],
        )
        self._slots = metrics.Gauge(
            "rayscribe_recognition_slots_used", description="Share of the slots in use."
        )
        self._done = metrics.Counter(
            "rayscribe_recognition_audio_seconds", description="Seconds of audio recognized."
        )
        self._again = metrics.Counter(
            "rayscribe_recognition_decoded_again", description="Decodings after a window's first."
        )

    def waited(self, seconds: float) -> None:
        self._wait.observe(seconds)

    def queued(self, windows: int, audio_s: float) -> None:
        self._windows.set(windows)
        self._audio.set(audio_s)

    def stepped(self, rows: int, slots: int) -> None:
        self._rows.observe(rows)
        self._slots.set(rows / slots)

    def finished(self, audio_s: float, decoded_again: int) -> None:
        self._done.inc(audio_s)
        if decoded_again:
            self._again.inc(decoded_again)
