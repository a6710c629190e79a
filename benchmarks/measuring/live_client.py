"""A client that speaks recordings as fast as they were spoken, and notes what it hears."""

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32

_FRAME = SAMPLE_RATE // 20
_TEXT = "conversation.item.input_audio_transcription"
_PATIENCE_S = 120.0


@dataclass
class Heard:
    """What came of one session, with seconds of the audio that had been spoken by then.

    `deltas` are texts with those seconds, and so are `wholes`, the texts of whole turns; `stopped`
    and `completed` are when each item's turn ended and its text was whole.
    """

    deltas: list[tuple[float, str]] = field(default_factory=list)
    stopped: dict[str, float] = field(default_factory=dict)
    completed: dict[str, float] = field(default_factory=dict)
    wholes: list[tuple[float, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    open_items: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        return " ".join(text for _, text in self.wholes if text)

    @property
    def finals_s(self) -> list[float]:
        """From the end of each turn to its whole text."""
        return [self.completed[item] - at for item, at in self.stopped.items()]

    def note(self, now: float, event: dict[str, Any]) -> None:
        kind = event["type"]
        item = event.get("item_id", "")
        if kind == "input_audio_buffer.speech_started":
            self.open_items.add(item)
        elif kind == "input_audio_buffer.speech_stopped":
            self.stopped[item] = now
        elif kind == f"{_TEXT}.delta":
            self.deltas.append((now, event["delta"]))
        elif kind in (f"{_TEXT}.completed", f"{_TEXT}.failed"):
            self.completed[item] = now
            self.wholes.append((now, event.get("transcript", "")))
            self.open_items.discard(item)
        if "error" in event:
            self.failed.append(event["error"]["message"])


async def speak(url: str, samples: Float32, language: str | None) -> Heard:
    """Speak to the service at `url`, an http address, and wait for all text."""
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?intent=transcription"
    heard = Heard()
    async with connect(address, compression=None) as socket:
        given = {
            "format": {"type": "audio/pcm", "rate": SAMPLE_RATE},
            "transcription": {"language": language},
        }
        session = {"type": "transcription", "audio": {"input": given}}
        await socket.send(json.dumps({"type": "session.update", "session": session}))
        began = time.monotonic()
        reading = asyncio.create_task(_read(socket, heard, began))
        await _send(socket, samples, began)
        # Behind the answer to this, only items are missing that are open now.
        await socket.send(json.dumps({"type": "input_audio_buffer.clear"}))
        await asyncio.wait_for(reading, _PATIENCE_S)
    return heard


async def _send(socket: ClientConnection, samples: Float32, began: float) -> None:
    # The silence at the end lets the last turn end.
    pcm = as_int16(np.concatenate((samples, np.zeros(SAMPLE_RATE, np.float32))))
    for start in range(0, len(pcm), _FRAME):
        frame = pcm[start : start + _FRAME]
        await asyncio.sleep(began + (start + len(frame)) / SAMPLE_RATE - time.monotonic())
        audio = base64.b64encode(frame.tobytes()).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


async def _read(socket: ClientConnection, heard: Heard, began: float) -> None:
    """Until all that was spoken is heard."""
    ended = False
    async for text in socket:
        event = json.loads(text)
        heard.note(time.monotonic() - began, event)
        ended = ended or event["type"] == "input_audio_buffer.cleared"
        if ended and not heard.open_items:
            return
