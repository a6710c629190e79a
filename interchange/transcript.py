"""The result of a transcription: words, segments, turns.

All times are seconds from the start of the recording.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Word:
    """One word. `text` keeps the leading space that Whisper puts before a word.

    `token_count` is how many of its segment's tokens spell it; 0 where nobody counted.
    """

    text: str
    start: float
    end: float
    probability: float
    speaker: str | None = None
    token_count: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text, as the bytes it stands for: a character may need several tokens."""

    content: tuple[int, ...]
    logprob: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text between two of Whisper's timestamps. `text` keeps its leading space.

    `spelled` has its tokens with their log-probabilities, where these were asked for; their bytes
    are the text's. `channel` is the one that it was heard in by itself, None where channels were
    mixed.
    """

    start: float
    end: float
    text: str
    language: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    spelled: tuple[Token, ...] = ()
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker talks from `start` to `end`. Turns of several speakers may overlap."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class WindowTranscript:
    """What recognition made of one window.

    `segments` is empty where the window held no words. `language_probabilities` lists the
    likeliest languages, best first; it is empty where the language was given.
    `decoded_again` counts the decodings after the first. `no_speech_prob` is how probably nobody
    speaks in it, as the model heard its beginning. `failed` says why the window has no
    transcript although it held speech; None if it has one. `prompt_left_out` counts the tokens of
    the prompt that were more than the model reads. `doubtful` is a provisional one that would have
    been decoded again.
    """

    index: int
    start: float
    end: float
    segments: tuple[Segment, ...]
    language: str
    language_probabilities: tuple[tuple[str, float], ...] = ()
    decoded_again: int = 0
    no_speech_prob: float = 0.0
    failed: str | None = None
    prompt_left_out: int = 0
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Quality:
    """Where each second of the recording went; `transcribed + silent + failed` is all of it.

    `decoded_again` is the part of `transcribed` that needed a second decoding. `silence_score`
    is how probably nobody speaks in the silent seconds, in mean: 1 where voice activity found
    none, and what the model gave for silence where it was asked. `channels` is how many were
    recognized each by itself, and have their seconds each, be it in a part of the recording; 1
    where all were taken as one. `notes` are sentences for the user on what is missing, such as that
    the file ended early, and on what was done.
    """

    transcribed: float = 0.0
    silent: float = 0.0
    silence_score: float = 1.0
    decoded_again: float = 0.0
    failed: float = 0.0
    channels: int = 1
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        windows: Sequence[WindowTranscript],
        duration: float,
        notes: tuple[str, ...] = (),
        apart: Sequence[tuple[float, int]] = (),
    ) -> "Quality":
        """The account of a recording of so many seconds, all of whose windows are given; `notes`
        is what loading had to say, `apart` for how many seconds how many channels were heard each
        by itself."""
        duration += sum(seconds * (channels - 1) for seconds, channels in apart)
        transcribed = sum(w.end - w.start for w in windows if w.segments and not w.failed)
        failed = sum(w.end - w.start for w in windows if w.failed)
        again = sum(w.end - w.start for w in windows if w.segments and w.decoded_again)
        silent = max(0.0, duration - transcribed - failed)
        doubt = sum(
            (w.end - w.start) * (1 - w.no_speech_prob)
            for w in windows
            if not w.segments and not w.failed
        )
        return cls(
            transcribed=transcribed,
            silent=silent,
            silence_score=max(0.0, 1 - doubt / silent) if silent else 1.0,
            decoded_again=again,
            failed=failed,
            channels=max((channels for _, channels in apart), default=1),
            notes=(*notes, *_on_failed(windows), *_on_prompt(windows)),
        )


def _on_failed(windows: Sequence[WindowTranscript]) -> tuple[str, ...]:
    failed = [window for window in windows if window.failed]
    if not failed:
        return ()
    seconds = sum(window.end - window.start for window in failed)
    return (
        f"{seconds:.1f} s of the recording could not be recognized, the first of them from "
        f"{failed[0].start:.1f} s to {failed[0].end:.1f} s: {failed[0].failed}",
    )


def _on_prompt(windows: Sequence[WindowTranscript]) -> tuple[str, ...]:
    left_out = max((window.prompt_left_out for window in windows), default=0)
    if not left_out:
        return ()
    return (
        f"The prompt, the keywords and the vocabulary of the service are {left_out} tokens longer "
        "than the model reads: so many were left out at the front.",
    )


@dataclass(frozen=True, slots=True)
class Waveform:
    """The loudest sample of every `step` seconds of a recording; 255 is as loud as can be."""

    step: float
    peaks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole recording. `turns` is None where speakers were not asked for, and `waveform` for a
    recording that was transcribed before there was one. `voices` has the embedding of each
    speaker's voice, where these were asked for.

    `stage_seconds` has the wall time of each stage: load, recognize, diarize, total.
    """

    segments: tuple[Segment, ...]
    language: str
    duration: float
    turns: tuple[Turn, ...] | None = None
    quality: Quality = field(default_factory=Quality)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    waveform: Waveform | None = None
    voices: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole text. It keeps its leading space, as Whisper writes it."""
        return "".join(segment.text for segment in self.segments)

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)
