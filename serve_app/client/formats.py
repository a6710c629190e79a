"""The formats of a transcript, by the name that is typed and by that of the API."""

from enum import StrEnum


class Format(StrEnum):
    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


RESPONSE_FORMATS = {
    Format.TXT: "text",
    Format.JSON: "verbose_json",
    Format.SRT: "srt",
    Format.VTT: "vtt",
}
