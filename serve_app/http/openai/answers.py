"""A transcript in the shapes of OpenAI's audio API."""

import string
from collections.abc import Iterable
from itertools import count
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from interchange.transcript import Segment, Transcript, Turn
from serve_app.http.openai.form import TranslationForm
from serve_app.http.quality import QualityAccount
from serve_app.transcription.formats import MEDIA_TYPES, render
from serve_app.transcription.formats.document import seconds, usage, verbose_document

_POSITIONS_PER_SECOND = 50

_FILES = {"text": "txt", "srt": "srt", "vtt": "vtt"}


def answer(transcript: Transcript, form: TranslationForm) -> dict[str, Any] | str:
    """The body for the form's `response_format`: an object, or the text of a file."""
    response_format: str = form.response_format
    if response_format in _FILES:
        return render(transcript, _FILES[response_format])
    if response_format == "verbose_json":
        granularities = getattr(form, "timestamp_granularities", ("segment",))
        return verbose_document(transcript, task=form.task, granularities=granularities)
    if response_format == "diarized_json":
        return _diarized(transcript, form.given_names)
    body = {"text": text(transcript), "languages": languages(transcript)}
    if form.wants_logprobs:
        body["logprobs"] = logprobs(transcript.segments)
    return body | {"usage": usage(transcript), **notes(transcript)}


def media_type(response_format: str) -> str:
    return MEDIA_TYPES[_FILES.get(response_format, "json")]


def notes(transcript: Transcript) -> dict[str, list[str]]:
    """What an answer without an account of quality says of its notes, where there are any."""
    sentences = list(transcript.quality.notes)
    return {"notes": sentences} if sentences else {}


def token_usage(transcript: Transcript) -> dict[str, Any]:
    """The account that ends a stream, which OpenAI keeps in tokens there: the positions of
    Whisper's encoder, and the tokens of the text. `seconds` is not in OpenAI's API."""
    heard = round(transcript.duration * _POSITIONS_PER_SECOND)
    written = sum(len(segment.tokens) for segment in transcript.segments)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "output_tokens": written,
        "total_tokens": heard + written,
        "seconds": seconds(transcript.duration),
    }


def text(transcript: Transcript) -> str:
    """OpenAI drops the leading space that Whisper writes."""
    return transcript.text.strip()


def languages(transcript: Transcript) -> list[dict[str, str]]:
    """The languages heard, the main one first; none where nobody was understood."""
    heard = dict.fromkeys(segment.language for segment in transcript.segments)
    ordered = sorted(heard, key=lambda code: code != transcript.language)
    return [{"code": code} for code in ordered]


def logprobs(segments: Iterable[Segment], *, begin: bool = True) -> list[dict[str, Any]]:
    """The tokens of segments. The first of a text that begins here loses its leading space, as
    the text does."""
    tokens = []
    for token in (token for segment in segments for token in segment.spelled):
        content = bytes(token.content)
        if begin:
            content = content.lstrip()
            begin = not content
        if content:
            tokens.append(logprob(content, token.logprob))
    return tokens


def logprob(content: bytes, value: float) -> dict[str, Any]:
    """One token. A part of a character has no text of its own: its bytes do."""
    return {
        "token": content.decode("utf-8", "replace"),
        "logprob": value,
        "bytes": list(content),
    }


class DiarizedSegments:
    """Segments, in order, under the letters by which OpenAI names speakers as they appear; a
    speaker who has a name keeps it. `names` are those that no letter may be."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._letters: dict[str | None, str] = {}
        self._names = set(names)
        self._free = (each for each in map(speaker_letter, count()) if each not in self._names)
        self.count = 0

    def found(self, turns: Iterable[Turn]) -> None:
        """Who speaks: no letter may be the name of any of them."""
        self._names.update(turn.speaker for turn in turns)

    def next(self, segment: Segment) -> dict[str, Any]:
        self.count += 1
        return {
            "type": "transcript.text.segment",
            "id": f"seg_{self.count:03}",
            "start": seconds(segment.start),
            "end": seconds(segment.end),
            "text": segment.text.strip(),
            "speaker": self.letter(segment.speaker),
        }

    def letter(self, label: str | None) -> str:
        """What a speaker is called here."""
        if label is not None and not label.startswith("SPEAKER_"):
            return label
        if label not in self._letters:
            self._letters[label] = next(self._free)
        return self._letters[label]


def speaker_letter(index: int) -> str:
    """A, B, … Z, AA, AB, …"""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = string.ascii_uppercase[letter] + name
    return name


def _diarized(transcript: Transcript, names: tuple[str, ...]) -> dict[str, Any]:
    numbered = DiarizedSegments(names)
    numbered.found(transcript.turns or ())
    segments = [numbered.next(segment) for segment in transcript.segments]
    voices = {numbered.letter(who): list(voice) for who, voice in transcript.voices.items()}
    return {
        "task": "transcribe",
        "duration": seconds(transcript.duration),
        "text": text(transcript),
        "segments": segments,
        **({"speaker_embeddings": voices} if voices else {}),
        "usage": usage(transcript),
        **notes(transcript),
    }


# The models below are for the OpenAPI document: answers are made above, and not validated.


Notes = Annotated[
    list[str] | None,
    Field(
        description="Only where something is missing, or channels were recognized separately: "
        "that. Not in OpenAI's API."
    ),
]


Voices = Annotated[
    dict[str, list[float]] | None,
    Field(description="The voice of each speaker, only where asked for. Not in OpenAI's API."),
]


class Usage(BaseModel):
    type: Literal["duration"] = Field(description="Always `duration`.")
    seconds: float = Field(description="Seconds of audio.")


class SpokenLanguage(BaseModel):
    code: str = Field(description="Whisper's code.")


class Logprob(BaseModel):
    token: str = Field(description="The token as text.")
    logprob: float = Field(description="The logarithm of its probability.")
    bytes: list[int] = Field(description="Its bytes: a character may need several tokens.")


class JsonAnswer(BaseModel):
    """`response_format: json`"""

    text: str = Field(description="The whole text.")
    languages: list[SpokenLanguage] = Field(description="The languages that are spoken.")
    logprobs: list[Logprob] | None = Field(None, description="Only where asked for.")
    usage: Usage = Field(description="What was worked on.")
    notes: Notes = None


class WordTimes(BaseModel):
    word: str = Field(description="The word, without spaces.")
    start: float = Field(description="Seconds from the start of the recording.")
    end: float = Field(description="Seconds from the start of the recording.")
    speaker: str | None = Field(None, description="Only where speakers were asked for.")
    overlap: bool | None = Field(
        None,
        description="Whether somebody else talks at the same time; only where speakers were asked "
        "for. Not in OpenAI's API.",
    )


class VerboseSegment(BaseModel):
    id: int = Field(description="Its number, from 0.")
    seek: int = Field(description="Its start in frames of 10 ms.")
    start: float = Field(description="Seconds from the start of the recording.")
    end: float = Field(description="Seconds from the start of the recording.")
    text: str = Field(description="The text, with its leading space.")
    tokens: list[int] = Field(description="Whisper's tokens.")
    temperature: float = Field(description="The temperature that it was decoded at.")
    avg_logprob: float = Field(description="The mean log-probability of its tokens.")
    compression_ratio: float = Field(
        description="How much shorter its text gets when compressed: repetition shows in it."
    )
    no_speech_prob: float = Field(description="The probability that nobody speaks in its window.")
    channel: int | None = Field(
        None,
        description="The channel that it was heard in, from 0; only where channels were recognized "
        "separately. Not in OpenAI's API.",
    )
    speaker: str | None = Field(None, description="Only where speakers were asked for.")
    overlap: bool | None = Field(
        None,
        description="Whether somebody else talks during one of its words; only where speakers were "
        "asked for. Not in OpenAI's API.",
    )


class SpeakerTurn(BaseModel):
    start: float = Field(description="Seconds from the start of the recording.")
    end: float = Field(description="Seconds from the start of the recording.")
    speaker: str = Field(description="Who speaks.")


class VerboseAnswer(BaseModel):
    """`response_format: verbose_json`"""

    task: Literal["transcribe", "translate"] = Field(description="What was done.")
    language: str = Field(
        examples=["english"],
        description="Whisper's name of the language.",
    )
    duration: float = Field(description="Seconds of audio.")
    text: str = Field(description="The whole text.")
    words: list[WordTimes] | None = Field(None, description="Only where asked for.")
    segments: list[VerboseSegment] | None = Field(
        None, description="The text with times, unless only words were asked for."
    )
    speakers: list[SpeakerTurn] | None = Field(
        None,
        description="Who talks when, by start; turns of several may overlap. Only where speakers "
        "were asked for. Not in OpenAI's API.",
    )
    speaker_seconds: dict[str, float] | None = Field(
        None,
        description="How long each speaker talks. Only where speakers were asked for. Not in "
        "OpenAI's API.",
    )
    speaker_embeddings: Voices = None
    quality: QualityAccount = Field(description="Not in OpenAI's API.")
    usage: Usage = Field(description="What was worked on.")


class DiarizedSegment(BaseModel):
    type: Literal["transcript.text.segment"] = Field(
        description="Always `transcript.text.segment`."
    )
    id: str = Field(examples=["seg_001"], description="Its name in this answer.")
    start: float = Field(description="Seconds from the start of the recording.")
    end: float = Field(description="Seconds from the start of the recording.")
    text: str = Field(description="What is said.")
    speaker: str = Field(examples=["A"], description="Who says it.")


class DiarizedAnswer(BaseModel):
    """`response_format: diarized_json`"""

    task: Literal["transcribe"] = Field(description="What was done.")
    duration: float = Field(description="Seconds of audio.")
    text: str = Field(description="The whole text.")
    segments: list[DiarizedSegment] = Field(description="What each speaker says.")
    speaker_embeddings: Voices = None
    usage: Usage = Field(description="What was worked on.")
    notes: Notes = None
