"""A transcript as a file: plain text, JSON, SubRip, WebVTT, tab-separated values."""

from collections.abc import Callable
from types import MappingProxyType

from interchange.transcript import Transcript
from serve_app.transcription.formats.document import json_text
from serve_app.transcription.formats.srt import srt
from serve_app.transcription.formats.tsv import tsv
from serve_app.transcription.formats.txt import txt
from serve_app.transcription.formats.vtt import vtt

RENDERERS: MappingProxyType[str, Callable[[Transcript], str]] = MappingProxyType(
    {"txt": txt, "json": json_text, "srt": srt, "vtt": vtt, "tsv": tsv}
)

MEDIA_TYPES = MappingProxyType(
    {
        "txt": "text/plain",
        "json": "application/json",
        "srt": "application/x-subrip",
        "vtt": "text/vtt",
        "tsv": "text/tab-separated-values",
    }
)
"""Media type by format; all are UTF-8."""


def render(transcript: Transcript, format_name: str) -> str:
    """The transcript as a file of that format. Raises KeyError for a format there is not."""
    return RENDERERS[format_name](transcript)
