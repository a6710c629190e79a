"""What the service reports of itself: every measure, and where its figures go.

A figure is recorded where something happens. A replica hands them to Prometheus by way of Ray
(`serve_app/reporting.py`); any other process drops them. Labels have few values, all known
beforehand: never a name, a key or an address.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

Kind = Literal["counter", "gauge", "histogram"]

PREFIX = "rayscribe_"

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


class Sink(Protocol):
    def record(self, measure: "Measure", value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter, set a gauge, or observe a value of a histogram. From any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Measure:
    """`name` without prefix and, for counters, without the `_total` that Ray adds."""

    name: str
    kind: Kind
    description: str
    labels: tuple[str, ...] = ()
    boundaries: tuple[float, ...] = ()

    def record(self, value: float = 1.0, **labels: str) -> None:
        """Tell of one figure. Every label has to be given."""
        if _sink is not None:
            _sink.record(self, value, labels)


AnySink = TypeVar("AnySink", bound=Sink)

_sink: Sink | None = None


def send_to(sink: Sink | None) -> None:
    """Where this process's figures go from now on; None: nowhere."""
    global _sink  # noqa: PLW0603 - one a process, like its log
    _sink = sink


@contextmanager
def heard_by(sink: AnySink) -> Iterator[AnySink]:
    """Send this process's figures to `sink` for as long as the block lasts."""
    before = _sink
    send_to(sink)
    try:
        yield sink
    finally:
        send_to(before)


REQUESTS = Measure(
    "requests",
    "counter",
    "Requests by surface and by the status of their answer.",
    labels=("surface", "status"),
)
WAITING_AUDIO = Measure(
    "waiting_audio_seconds",
    "gauge",
    "Seconds of audio that an ingress let in and that are not done.",
)
AUDIO_RATE = Measure(
    "audio_rate", "gauge", "Seconds of audio that the graph works off in a second, as measured."
)
RECORDINGS = Measure(
    "recordings", "counter", "Recordings that left the graph, by outcome.", ("outcome",)
)
RECORDING_AUDIO = Measure(
    "recording_audio_seconds",
    "counter",
    "Seconds of finished recordings, by what became of them.",
    labels=("became",),
)
BECAME = ("transcribed", "silent", "failed", "decoded_again")
"""The last is a part of the first."""
STAGE_SECONDS = Measure(
    "stage_seconds",
    "histogram",
    "Wall time of a recording in a stage; `total` is all of it.",
    labels=("stage",),
    boundaries=_SECONDS,
)
REAL_TIME_FACTOR = Measure(
    "real_time_factor",
    "histogram",
    "Wall time of a recording over its length.",
    boundaries=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
)
LIVE_SESSIONS = Measure("live_sessions", "gauge", "Live sessions that an ingress serves.")

WINDOW_WAIT = Measure(
    "recognition_wait_seconds",
    "histogram",
    "Time that a window waited for a slot.",
    boundaries=_SECONDS,
)
QUEUED_WINDOWS = Measure("recognition_queued_windows", "gauge", "Windows that wait for a slot.")
QUEUED_AUDIO = Measure(
    "recognition_queued_audio_seconds", "gauge", "Seconds of audio that wait for a slot."
)
BATCH_ROWS = Measure(
    "recognition_batch_rows",
    "histogram",
    "Rows of a decoding step.",
    boundaries=(1, 2, 4, 8, 16, 32, 64, 128),
)
SLOTS_USED = Measure("recognition_slots_used", "gauge", "Share of the slots in use.")
STEP_SECONDS = Measure(
    "recognition_step_seconds",
    "histogram",
    "Time of a decoding step.",
    boundaries=(0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256),
)
ENCODE_SECONDS = Measure(
    "recognition_encode_seconds",
    "histogram",
    "Time until windows that were given to the encoder are encoded.",
    boundaries=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
)
RECOGNIZED_AUDIO = Measure("recognition_audio_seconds", "counter", "Seconds of audio recognized.")
WINDOWS = Measure("recognition_windows", "counter", "Windows recognized.")
DECODED_AGAIN = Measure("recognition_decoded_again", "counter", "Decodings after a window's first.")
DIARIZED_AUDIO = Measure(
    "diarization_audio_seconds", "counter", "Seconds of audio whose speakers were told apart."
)
MEMORY = Measure(
    "memory_bytes",
    "gauge",
    "Memory of the model's device that a replica holds; of the process on a CPU.",
)
JOBS = Measure("jobs", "gauge", "Jobs in the store, by state.", labels=("state",))
WEBHOOKS = Measure("webhooks", "counter", "Tries to deliver a webhook, by outcome.", ("outcome",))

MEASURES: tuple[Measure, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Measure)
)
"""All there are."""
