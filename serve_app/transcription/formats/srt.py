"""SubRip subtitles."""

from interchange.transcript import Transcript
from serve_app.transcription.formats.cues import Cue, cues
from serve_app.transcription.formats.timecode import timecode


def srt(transcript: Transcript) -> str:
    """The subtitles; empty where nobody spoke. A cue's text begins with its speaker, if known."""
    return "".join(_block(number, cue) for number, cue in enumerate(cues(transcript, _label), 1))


def _label(speaker: str) -> str:
    return f"{speaker}: "


def _block(number: int, cue: Cue) -> str:
    text = "\n".join(cue.lines)
    # The format has no escapes; an arrow in the text would read as a line of times.
    text = text.replace("-->", "→")
    return f"{number}\n{timecode(cue.start, ',')} --> {timecode(cue.end, ',')}\n{text}\n\n"
