"""What the tables say of a recording: a row of the transcripts, or one of the failures."""

from typing import Any

from interchange.errors import ClientError, RayscribeError
from interchange.transcript import Segment, Transcript, Word
from serve_app.transcription.formats.document import quality_account, seconds
from serve_app.transcription.formats.talk import Overlaps

Row = dict[str, Any]


def transcript_row(path: str, transcript: Transcript) -> Row:
    """`words` is None where they were not asked for, `speakers` where these were not."""
    turns = transcript.turns
    overlaps = None if turns is None else Overlaps(turns)
    return {
        "path": path,
        "duration": seconds(transcript.duration),
        "language": transcript.language,
        "text": transcript.text.strip(),
        "segments": [_segment(each, overlaps) for each in transcript.segments],
        "words": [_word(each, overlaps) for each in transcript.words] or None,
        "speakers": None
        if turns is None
        else [
            {"start": seconds(turn.start), "end": seconds(turn.end), "speaker": turn.speaker}
            for turn in turns
        ],
        "quality": quality_account(transcript.quality),
    }


def failure_row(path: str, error: Exception) -> Row:
    """`fault` says whose it was: the recording's, or the program's."""
    code, message = RayscribeError.code, f"{type(error).__name__}: {error}"
    if isinstance(error, RayscribeError):
        code, message = error.code, error.message
    fault = "recording" if isinstance(error, ClientError) else "program"
    return {"path": path, "code": code, "message": message, "fault": fault}


def _segment(segment: Segment, overlaps: Overlaps | None) -> Row:
    return {
        "start": seconds(segment.start),
        "end": seconds(segment.end),
        "text": segment.text.strip(),
        "language": segment.language,
        "speaker": segment.speaker,
        "overlap": None if overlaps is None else overlaps(segment),
        "channel": segment.channel,
        "avg_logprob": round(segment.avg_logprob, 4),
        "no_speech_prob": round(segment.no_speech_prob, 4),
        "compression_ratio": round(segment.compression_ratio, 4),
    }


def _word(word: Word, overlaps: Overlaps | None) -> Row:
    return {
        "word": word.text.strip(),
        "start": seconds(word.start),
        "end": seconds(word.end),
        "probability": round(word.probability, 3),
        "speaker": word.speaker,
        "overlap": None if overlaps is None else overlaps(word),
    }
