"""WebVTT subtitles (https://www.w3.org/TR/webvtt1/)."""

from interchange.transcript import Transcript
from serve_app.transcription.formats.cues import Cue, cues
from serve_app.transcription.formats.timecode import timecode


def vtt(transcript: Transcript) -> str:
    """The subtitles, with a voice span (`<v SPEAKER_00>`) around a cue whose speaker is known."""
    return "WEBVTT\n\n" + "".join(_block(cue) for cue in cues(transcript))


def _block(cue: Cue) -> str:
    text = "\n".join(_escape(line) for line in cue.lines)
    if cue.speaker:
        text = f"<v {_escape(cue.speaker)}>{text}</v>"
    return f"{timecode(cue.start, '.')} --> {timecode(cue.end, '.')}\n{text}\n\n"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
