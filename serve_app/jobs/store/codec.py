"""Dataclasses as JSON and back, exactly: a resumed job must not differ from an undisturbed one.

Python writes a float in the fewest digits that give the same float back, and keeps NaN and
the infinities, which stricter writers drop.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from interchange.transcript import Quality, Transcript, WindowTranscript
from serve_app.jobs.delivery import WebhookTarget
from serve_app.transcription.request import TranscriptionRequest

T = TypeVar("T")


class Codec(Generic[T]):
    """JSON text of a value of one type. Unknown keys are skipped, missing ones defaulted, so
    that a row written before an upgrade can be read after it."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def dump(self, value: T) -> str:
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))

    def load(self, text: str | bytes) -> T:
        return self._adapter.validate_python(json.loads(text))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value


REQUEST: Codec[TranscriptionRequest] = Codec(TranscriptionRequest)
WINDOW: Codec[WindowTranscript] = Codec(WindowTranscript)
TRANSCRIPT: Codec[Transcript] = Codec(Transcript)
QUALITY: Codec[Quality] = Codec(Quality)
WEBHOOK: Codec[WebhookTarget] = Codec(WebhookTarget)
METADATA: Codec[Mapping[str, str]] = Codec(dict[str, str])
SECONDS: Codec[Mapping[str, float]] = Codec(dict[str, float])
EMBEDDINGS: Codec[tuple[tuple[float, ...], ...]] = Codec(tuple[tuple[float, ...], ...])
