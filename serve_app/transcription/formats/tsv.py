"""Tab-separated values, as Whisper's own command line writes them: milliseconds and text."""

from interchange.transcript import Segment, Transcript


def tsv(transcript: Transcript) -> str:
    """A heading and a line a segment; a known speaker stands before the text."""
    return "start\tend\ttext\n" + "".join(_line(segment) for segment in transcript.segments)


def _line(segment: Segment) -> str:
    text = " ".join(segment.text.split())
    if segment.speaker:
        text = f"{segment.speaker}: {text}"
    return f"{round(segment.start * 1000)}\t{round(segment.end * 1000)}\t{text}\n"
