"""A transcript, and a language, in the shapes of whisper-asr-webservice."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel, Field

from interchange.transcript import Transcript, Word
from serve_app.http.asr.options import AsrOptions
from serve_app.transcription.events import Event, WindowDone
from serve_app.transcription.formats import render
from serve_app.transcription.formats.document import seconds, spoken_by, verbose_document
from serve_app.transcription.formats.talk import Overlaps
from serve_app.transcription.language_names import language_name
from serve_app.transcription.language_votes import UNDETERMINED


class DetectedLanguage(BaseModel):
    detected_language: str = Field(
        examples=["english"], description="Whisper's name of the language."
    )
    language_code: str = Field(examples=["en"], description="Whisper's code of the language.")
    confidence: float = Field(description="The probability of the language.")


def answer(transcript: Transcript, options: AsrOptions) -> str:
    """The body for the `output` that was asked for."""
    if options.output == "json":
        return json.dumps(_document(transcript, options), ensure_ascii=False)
    return render(transcript, options.output)


async def detected(events: AsyncGenerator[Event, None]) -> DetectedLanguage:
    """The language of the first window in which somebody is understood; then the work stops."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, WindowDone) and event.window.segments:
                code = event.window.language
                # A model of one language gives none: it is sure.
                probability = dict(event.window.language_probabilities).get(code, 1.0)
                return _language(code, probability)
    return _language(UNDETERMINED, 0.0)


def _language(code: str, probability: float) -> DetectedLanguage:
    return DetectedLanguage(
        detected_language=language_name(code), language_code=code, confidence=probability
    )


def _document(transcript: Transcript, options: AsrOptions) -> dict[str, Any]:
    segments = verbose_document(transcript)["segments"]
    if options.word_timestamps:
        overlaps = Overlaps(transcript.turns or ())
        for entry, segment in zip(segments, transcript.segments, strict=True):
            entry["words"] = [_word(word, overlaps) for word in segment.words]
    notes = list(transcript.quality.notes)
    return {
        "text": transcript.text,
        "segments": segments,
        "language": "en" if options.task == "translate" else transcript.language,
        **({"notes": notes} if notes else {}),
    }


def _word(word: Word, overlaps: Overlaps) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "word": word.text,
        "start": seconds(word.start),
        "end": seconds(word.end),
        "probability": word.probability,
    }
    return entry | spoken_by(word, overlaps) if word.speaker else entry
