"""What a client of a live session may say."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from interchange.errors import ClientError
from serve_app.live.audio import InvalidAudio


class InvalidEvent(ClientError):
    code = "invalid_event"

    def __init__(self, message: str, param: str | None = None) -> None:
        # Past the parent's constructor on purpose: every argument has to reach Exception.
        Exception.__init__(self, message, param)
        self.message = message
        self.param = param


class InvalidJson(InvalidEvent):
    code = "invalid_json"


class UnknownEventType(InvalidEvent):
    code = "unknown_event_type"


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """`event_id` is the client's own name for it, None where it gave none."""

    type: str
    event_id: str | None
    values: dict[str, Any]

    @property
    def audio(self) -> bytes:
        """What an `append` brings. Raises InvalidEvent and InvalidAudio."""
        audio = self.values.get("audio")
        if not isinstance(audio, str):
            raise InvalidEvent("'audio' is missing: send the audio as base64.", "audio")
        try:
            return base64.b64decode(audio, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidAudio(f"'audio' is not base64: {error}.") from error


def parse(text: str) -> ClientEvent:
    """Raises InvalidEvent for what is no event at all."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"The event is not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise InvalidEvent("An event is a JSON object with a 'type'.")
    kind, event_id = values.get("type"), values.get("event_id")
    if not isinstance(kind, str):
        raise InvalidEvent("The event has no 'type'.", "type")
    return ClientEvent(kind, event_id if isinstance(event_id, str) else None, values)
