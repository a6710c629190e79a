"""What crosses the graph, and the Protocol each stage fulfils.

The transcriber knows the stages by these Protocols only: in a replica they are Ray handles,
in a unit test plain objects.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from interchange.transcript import Turn, Waveform, WindowTranscript

SAMPLE_RATE = 16_000
"""Samples a second of every waveform inside the graph (mono)."""

Float32 = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]

Task = Literal["transcribe", "translate"]
Priority = Literal["interactive", "bulk"]
ChannelUse = Literal["auto", "mix", "separate"]
"""Whether all channels are recognized as one, each by itself, or so where they hold different
people."""


# ------------------------------------------------------------------------------- loading


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A recording to fetch over http or https."""

    url: str


@dataclass(frozen=True, slots=True)
class BlobSource:
    """A recording in the blob store: `path` is a key of it, `name` what the client called it."""

    path: str
    name: str


Source = UrlSource | BlobSource


@dataclass(frozen=True, slots=True)
class SpeechDetection:
    """How speech is found in a recording: from what probability on, how many seconds of silence
    end it, and how many are kept before it."""

    threshold: float
    silence_s: float
    padding_s: float


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """`pcm` asks for the whole waveform beside the windows: diarization needs it.

    `first_window_s` bounds the first window further than the others, for a listener who waits.
    `detection` None means the service's own. `channels` says what becomes of several; the waveform
    is the mix whatever it says. `within_s` is what is left of the request's time, see
    `interchange/budget.py`.
    """

    pcm: bool = False
    first_window_s: float | None = None
    detection: SpeechDetection | None = None
    channels: ChannelUse = "mix"
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The unit of recognition: up to 30 s of the recording, cut at pauses.

    `offset` is the sample of the recording at which `samples` (mono, 16 kHz, read-only after a
    hop) begins. `speech` lists (start, end) in samples from the window's own start, in order,
    not overlapping: where voice activity was found. A `faint` window has none, and may hold
    speech all the same: its words have to be surer than others. `channel` is the one that it holds
    by itself, None where it holds what all channels say.
    """

    index: int
    offset: int
    samples: Int16
    speech: tuple[tuple[int, int], ...]
    faint: bool = False
    channel: int | None = None

    @property
    def start(self) -> float:
        """Seconds from the start of the recording."""
        return self.offset / SAMPLE_RATE

    @property
    def end(self) -> float:
        return (self.offset + len(self.samples)) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class PcmBlock:
    """A stretch of the whole recording; blocks come in order and leave no gap."""

    samples: Int16


@dataclass(frozen=True, slots=True)
class Apart:
    """A stretch of a recording, in seconds, in which each of so many channels was cut into windows
    by itself."""

    start: float
    end: float
    channels: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The last event of a load.

    `speech` is how many seconds of `duration` voice activity was found in; `notes` are
    sentences for the user, such as that the file ended early. `waveform` is for who draws the
    recording. `apart` lists where channels were heard each by itself, in order.
    """

    duration: float
    speech: float
    notes: tuple[str, ...] = ()
    waveform: Waveform | None = None
    apart: tuple[Apart, ...] = ()


LoadEvent = Window | PcmBlock | Loaded


class AudioLoader(Protocol):
    def load(self, source: Source, options: LoadOptions) -> AsyncGenerator[LoadEvent, None]:
        """Fetch, decode and cut a recording; windows come while the rest still loads, in order of
        their start.

        Closing the generator stops the download and the decoding. The same source and options
        give the same windows each time. Raises ClientError for a source that cannot be fetched or
        decoded.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What a server says of a recording that lies there.

    `media_type` is empty where it names neither audio nor video, `size` in bytes, None where it is
    not known. `ranged`: a part of it comes without what lies before.
    """

    media_type: str
    size: int | None
    ranged: bool


class RecordingRelay(Protocol):
    def relay(
        self, source: UrlSource, start: int, most: int
    ) -> AsyncGenerator[RemoteFile | bytes, None]:
        """First what the remote server says of the recording, then its bytes from `start` on: at
        most `most` of them, fewer at its end, none behind it.

        Where the server gives no ranges, what lies before is fetched and passed over. Closing the
        generator stops the transfer. Raises InvalidSource or one of its kinds, RecordingTooLarge,
        and QueueFull where too much is passed on already.
        """
        ...


# --------------------------------------------------------------------------- recognition


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """How to recognize one window.

    `request_id` says whose window it is, for fairness and cancelling. `language` is a Whisper
    code ("en"), None to detect it, among `languages` where any are given. `prompt` is text
    that the transcript should read as if it followed; `said` is how it begins, as what is said
    first in the window is known. `temperature` is where decoding starts.
    `batch_size` caps how many windows of this request may be decoded at once. `logprobs` asks
    for the tokens of each segment with their log-probabilities. `in_flight` is how many windows of
    the request are in recognition, wherever, with this one. `within_s` is what is left of the
    request's time. `provisional`: the request's next window may say it again, so that it is decoded
    once. `hurried`: a short one may be decoded before others, instead of along with them.
    """

    request_id: str
    task: Task = "transcribe"
    language: str | None = None
    languages: tuple[str, ...] = ()
    word_timestamps: bool = False
    prompt: str | None = None
    said: str | None = None
    temperature: float = 0.0
    priority: Priority = "interactive"
    batch_size: int | None = None
    logprobs: bool = False
    in_flight: int = 1
    within_s: float | None = None
    provisional: bool = False
    hurried: bool = True


class SpeechRecognizer(Protocol):
    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        """Recognize one window; batches form across all callers.

        Raises QueueFull where too much audio already waits. A window that fails alone is
        answered with `failed` set. Cancelling the call takes the window out of the queue, or
        its row out of the batch.
        """
        ...


# --------------------------------------------------------------------------- diarization


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody's voice: an embedding of each recording of them, by the model of that name."""

    name: str
    embeddings: tuple[tuple[float, ...], ...]
    model: str


@dataclass(frozen=True, slots=True)
class VoiceSample:
    """What a recording of one person says of their voice: its embedding, the seconds in which
    somebody talks alone, whether these are `several` people, and which model heard it."""

    embedding: tuple[float, ...]
    seconds: float
    several: bool
    model: str


@dataclass(frozen=True, slots=True)
class DiarizationOptions:
    """Bounds on the number of speakers, each None where unknown, and the voices that are known.
    `within_s` is what is left of the request's time."""

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    known: tuple[Voice, ...] = ()
    priority: Priority = "interactive"
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who talks when in a recording, by start, and the embedding of each speaker's voice.

    Speakers are named SPEAKER_00, SPEAKER_01, … in order of appearance, those whose voice is known
    by its name. Without turns where nobody speaks.
    """

    turns: tuple[Turn, ...] = ()
    voices: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


STRETCH = 180 * SAMPLE_RATE
"""Samples of a recording that one call of diarization is about."""

STRETCH_REACH = 10 * SAMPLE_RATE
"""Samples behind them that the call is given too: what is looked at together ends within them."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The samples of a recording from `number` × STRETCH on: STRETCH + STRETCH_REACH of them, or
    all there are to its end. The last STRETCH_REACH begin the next stretch as well."""

    number: int
    samples: Int16

    @property
    def seconds(self) -> float:
        """Of the recording that no other stretch is about."""
        return min(len(self.samples), STRETCH) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """`request_id` says whose stretch it is, `in_flight` how many of that recording are asked for,
    wherever, with this one. `within_s` is what is left of the request's time."""

    request_id: str
    priority: Priority = "interactive"
    in_flight: int = 1
    within_s: float | None = None


class SpeakerDiarizer(Protocol):
    async def analyse(self, stretch: Stretch, options: AnalysisOptions) -> bytes:
        """Who talks when in a stretch, and how each sounds: small, without samples, and of no use
        but for `speakers`. The same stretch gives the same.

        Cancelling the call stops the work within a batch. Raises DiarizationFailed, and QueueFull
        where too much waits.
        """
        ...

    async def speakers(
        self, analyses: Sequence[bytes], seconds: float, options: DiarizationOptions
    ) -> Speakers:
        """The speakers of a recording of so many seconds, by the analyses of all its stretches, in
        order.

        Raises DiarizationFailed, InvalidOption for bounds that contradict each other and for
        voices that another model heard, and QueueFull.
        """
        ...

    async def voice(self, samples: Int16) -> VoiceSample:
        """The voice in a short recording of one person. Raises DiarizationFailed."""
        ...
