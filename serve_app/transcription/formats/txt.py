"""Plain text: one paragraph, or one a turn."""

from itertools import groupby

from interchange.transcript import Transcript
from serve_app.transcription.formats.spoken import spoken


def txt(transcript: Transcript) -> str:
    """The text, ending in a line break; empty where nobody spoke.

    Where speakers were asked for, each turn is a line that begins with its speaker; where channels
    were recognized separately, it is a line all the same.
    """
    lines = []
    turns = groupby(spoken(transcript), key=lambda part: (part.speaker, part.channel))
    for (speaker, _), run in turns:
        text = "".join(part.text for part in run).strip()
        if text:
            lines.append(f"{speaker}: {text}" if speaker else text)
    return "".join(f"{line}\n" for line in lines)
