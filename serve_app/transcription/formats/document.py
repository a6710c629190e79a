"""The transcript as JSON: OpenAI's `verbose_json`, with speakers and quality beside it."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from interchange.stages import Task
from interchange.transcript import Quality, Segment, Transcript, Word
from serve_app.transcription.formats.talk import Overlaps, talk_seconds
from serve_app.transcription.language_names import language_name


def json_text(transcript: Transcript) -> str:
    """The document with all that the transcript holds, ending in a line break.

    Words have a `probability` here, from 0 to 1: OpenAI's have none.
    """
    granularities = {"segment", "word"} if transcript.words else {"segment"}
    document = verbose_document(transcript, granularities=granularities)
    for entry, word in zip(document.get("words", ()), transcript.words, strict=False):
        entry["probability"] = round(word.probability, 3)
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def verbose_document(
    transcript: Transcript,
    *,
    task: Task = "transcribe",
    granularities: Collection[str] = ("segment",),
) -> dict[str, Any]:
    """OpenAI's `verbose_json` with `words` and `segments` as asked for.

    Beyond OpenAI's fields it has `quality`, and where speakers were asked for `speakers` (the
    turns), `speaker_seconds`, the `speaker` of each segment and word, and whether there is an
    `overlap` with another one. `speaker_embeddings` where these were asked for; the `channel` of a
    segment where channels were recognized separately.
    """
    overlaps = None if transcript.turns is None else Overlaps(transcript.turns)
    document: dict[str, Any] = {
        "task": task,
        "language": language_name("en" if task == "translate" else transcript.language),
        "duration": seconds(transcript.duration),
        "text": transcript.text.strip(),
    }
    if "word" in granularities:
        document["words"] = [_word(word, overlaps) for word in transcript.words]
    if "segment" in granularities:
        document["segments"] = [
            _segment(index, segment, overlaps) for index, segment in enumerate(transcript.segments)
        ]
    if transcript.turns is not None:
        document["speakers"] = [
            {"start": seconds(turn.start), "end": seconds(turn.end), "speaker": turn.speaker}
            for turn in transcript.turns
        ]
        talk = talk_seconds(transcript.turns)
        document["speaker_seconds"] = {speaker: seconds(value) for speaker, value in talk.items()}
    document |= speaker_embeddings(transcript)
    document["quality"] = quality_account(transcript.quality)
    document["usage"] = usage(transcript)
    return document


def speaker_embeddings(transcript: Transcript) -> dict[str, Any]:
    """The field of that name, where it was asked for."""
    voices = transcript.voices
    return (
        {"speaker_embeddings": {who: list(voice) for who, voice in voices.items()}}
        if voices
        else {}
    )


def quality_account(quality: Quality) -> dict[str, Any]:
    """Where each second went, and `notes`: sentences on what is missing."""
    account = asdict(quality)
    notes = list(account.pop("notes"))
    return {name: seconds(value) for name, value in account.items()} | {"notes": notes}


def usage(transcript: Transcript) -> dict[str, Any]:
    """OpenAI's account of what was worked on: seconds of audio."""
    return {"type": "duration", "seconds": seconds(transcript.duration)}


def seconds(value: float) -> float:
    return round(value, 3)


def spoken_by(part: Segment | Word, overlaps: Overlaps | None) -> dict[str, Any]:
    """Who says it, where speakers were asked for."""
    return {} if overlaps is None else {"speaker": part.speaker, "overlap": overlaps(part)}


def _word(word: Word, overlaps: Overlaps | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "word": word.text.strip(),
        "start": seconds(word.start),
        "end": seconds(word.end),
    }
    return entry | spoken_by(word, overlaps)


def _segment(index: int, segment: Segment, overlaps: Overlaps | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": index,
        # In frames of 10 ms, as Whisper counts.
        "seek": round(segment.start * 100),
        "start": seconds(segment.start),
        "end": seconds(segment.end),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
    if segment.channel is not None:
        entry["channel"] = segment.channel
    return entry | spoken_by(segment, overlaps)
