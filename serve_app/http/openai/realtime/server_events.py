"""What happens in a live session, as OpenAI's clients expect to read it."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from interchange.errors import RayscribeError
from interchange.stages import SAMPLE_RATE
from interchange.transcript import Token
from serve_app.http.around.errors import rayscribe_error
from serve_app.http.openai.answers import logprob
from serve_app.live.events import (
    Cleared,
    Committed,
    Completed,
    Delta,
    Event,
    Failed,
    Partial,
    SpeechStarted,
    SpeechStopped,
)
from serve_app.transcription.formats.document import seconds

Message = dict[str, Any]

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def message(kind: str, **fields: Any) -> Message:
    return {"type": kind, "event_id": f"event_{uuid.uuid4().hex}", **fields}


def error(fault: RayscribeError, event_id: str | None) -> Message:
    """`event_id` is the client's own name for the event at fault."""
    return message("error", error={**rayscribe_error(fault)["error"], "event_id": event_id})


class Writer:
    """Writes events; `beta` and `logprobs` are as the client's latest wish."""

    def __init__(self) -> None:
        self.beta = False
        self.logprobs = False

    def messages(self, event: Event) -> Iterator[Message]:
        match event:
            case SpeechStarted(item_id, start):
                kind = "input_audio_buffer.speech_started"
                yield message(kind, audio_start_ms=_ms(start), item_id=item_id)
            case SpeechStopped(item_id, end):
                kind = "input_audio_buffer.speech_stopped"
                yield message(kind, audio_end_ms=_ms(end), item_id=item_id)
            case Committed(item_id, previous):
                kind = "input_audio_buffer.committed"
                yield message(kind, previous_item_id=previous, item_id=item_id)
                yield from self._item(item_id, previous)
            case Cleared():
                yield message("input_audio_buffer.cleared")
            case _:
                yield self._text(event)

    def _item(self, item_id: str, previous: str | None) -> Iterator[Message]:
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        for kind in ("created",) if self.beta else ("added", "done"):
            yield message(f"conversation.item.{kind}", previous_item_id=previous, item=item)

    def _text(self, event: Delta | Partial | Completed | Failed) -> Message:
        fields: Message = {"item_id": event.item_id, "content_index": 0}
        match event:
            case Delta(_, text, tokens):
                fields |= {"delta": text, **self._logprobs(tokens)}
                return message(f"{_TRANSCRIPTION}.delta", **fields)
            case Partial(_, text):
                return message(f"{_TRANSCRIPTION}.partial", **fields, partial=text)
            case Completed():
                heard = [{"code": event.language}] if event.language and event.text else []
                usage = {"type": "duration", "seconds": _s(event.end - event.start)}
                fields |= {"transcript": event.text, "usage": usage, "languages": heard}
                fields |= self._logprobs(event.tokens)
                return message(f"{_TRANSCRIPTION}.completed", **fields)
            case Failed(_, fault):
                fault_fields = rayscribe_error(fault)["error"]
                return message(f"{_TRANSCRIPTION}.failed", **fields, error=fault_fields)

    def _logprobs(self, tokens: Sequence[Token]) -> Message:
        if not self.logprobs:
            return {}
        return {"logprobs": [logprob(bytes(each.content), each.logprob) for each in tokens]}


def _ms(samples: int) -> int:
    return round(1000 * samples / SAMPLE_RATE)


def _s(samples: int) -> float:
    return seconds(samples / SAMPLE_RATE)
