"""Does a session of hours stay what it was? `python -m benchmarks.live.long`, on any machine.

A client in this process speaks for `--hours`, `--speed` times as fast as time goes: a minute of
speech, noise and silence over and over, so that every hour has to bring the same turns at the same
times, and the process has to hold no more after the last than after the first. All of a session but
the sockets and the model is the real one: events, formats, voice activity, turns, windows. The
recognizer hears, wherever somebody speaks, five words a second that say what time it is.
"""

import asyncio
import base64
import json
import math
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from starlette.types import Message
from starlette.websockets import WebSocket

from benchmarks.measuring import results
from benchmarks.measuring.recordings import NoSpeech, clips
from benchmarks.measuring.tables import table
from configs.settings import LiveSettings
from deployments.audio.speech.live_voice import LiveVoice
from interchange.stages import SAMPLE_RATE, RecognitionOptions, SpeechDetection, Window
from interchange.transcript import Segment, WindowTranscript, Word
from serve_app.http.openai.realtime.connection import Connection
from serve_app.live.service import LiveService
from tests.fakes.stages import FakeDiarizer
from tests.support.live import RATE, TRANSCRIPTION, pcm

_FRAME_S = 0.1
_MINUTE = 60 * RATE
_SPOKEN_AT = 5 * RATE
_NOISE = (40 * RATE, 55 * RATE)
_TURNS = SpeechDetection(threshold=0.5, silence_s=0.5, padding_s=0.3)
_WORD_S = 0.2
_AT_ONCE_S = 1.0
"""Audio that is sent before the clock is looked at."""


class Clock:
    """Hears what time it is in the session, wherever somebody speaks."""

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        await asyncio.sleep(0)
        words = []
        for start, end in window.speech:
            first, last = ((window.offset + at) / SAMPLE_RATE / _WORD_S for at in (start, end))
            words += [
                Word(f" {n}", n * _WORD_S, (n + 0.8) * _WORD_S, 0.9)
                for n in range(math.ceil(first), math.floor(last))
            ]
        text = "".join(word.text for word in words)
        said = Segment(window.start, window.end, text, "en", words=tuple(words))
        return WindowTranscript(window.index, window.start, window.end, (said,) * bool(words), "en")


class Client:
    """Both ends of a socket: what is spoken, and what is noted of the answers.

    `hours` has of each the memory, and the ms in their minute at which turns began; `wrong` has
    turns with words whose time is not theirs, and other faults.
    """

    def __init__(self, minute: bytes, hours: float, speed: float) -> None:
        self._minute = minute
        self._hours, self._speed = hours, speed
        self.spoken_s = 0.0
        self.hours: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self._turns: list[int] = []
        self._begun: dict[str, tuple[int, int]] = {}
        self._messages = self._speak()

    async def receive(self) -> Message:
        return await anext(self._messages)

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            self._note(json.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.wrong.append(f"closed with {message['code']}: {message['reason']}")

    async def _speak(self) -> AsyncIterator[Message]:
        yield {"type": "websocket.connect"}
        size = round(_FRAME_S * RATE) * 2
        events = [
            json.dumps(
                {"type": "input_audio_buffer.append", "audio": base64.b64encode(part).decode()}
            )
            for part in (self._minute[at : at + size] for at in range(0, len(self._minute), size))
        ]
        began = time.monotonic()
        for spoken in range(1, round(60 * self._hours) + 1):
            for number, event in enumerate(events):
                yield {"type": "websocket.receive", "text": event}
                self.spoken_s += _FRAME_S
                if not (number + 1) * _FRAME_S % _AT_ONCE_S:
                    ahead = self.spoken_s / self._speed - (time.monotonic() - began)
                    await asyncio.sleep(max(0.0, ahead))
            if spoken % 60 == 0:
                self._hour_ends(time.monotonic() - began)
        yield {"type": "websocket.disconnect", "code": 1000}

    def _hour_ends(self, took_s: float) -> None:
        memory = psutil.Process().memory_info().rss
        self.hours.append({"rss": memory, "turns": self._turns, "took_s": took_s})
        typer.echo(
            f"hour {len(self.hours)} after {took_s:.0f} s: {memory / 2**20:.0f} MiB", err=True
        )
        self._turns = []

    def _note(self, event: dict[str, Any]) -> None:
        kind, item = event["type"], event.get("item_id", "")
        if kind == "input_audio_buffer.speech_started":
            self._begun[item] = (event["audio_start_ms"], 0)
            self._turns.append(event["audio_start_ms"] % 60_000)
        elif kind == "input_audio_buffer.speech_stopped":
            self._begun[item] = (self._begun[item][0], event["audio_end_ms"])
        elif kind == f"{TRANSCRIPTION}.completed":
            first, last = self._begun.pop(item)
            times = [round(1000 * _WORD_S) * int(word) for word in event["transcript"].split()]
            if not times or times != sorted(times) or times[0] < first or times[-1] > last:
                self.wrong.append(f"{first} to {last} ms: {event['transcript']!r}")
        elif kind == "error" or kind.endswith(".failed"):
            self.wrong.append(event["error"]["message"])


def main(
    *,
    hours: Annotated[int, typer.Option(min=1, help="Of audio.")] = 8,
    speed: Annotated[float, typer.Option(help="So many times as fast as time goes.")] = 50,
) -> None:
    """Exit code 1 says that a time is wrong or an hour has not the turns of the first."""
    try:
        minute = _minute()
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    client = Client(minute, hours, speed)
    began = time.process_time()
    asyncio.run(_converse(client))
    core = (time.process_time() - began) / client.spoken_s
    first = client.hours[0]
    rows = [
        [
            number,
            each["rss"] / 2**20,
            len(each["turns"]),
            _farthest(each["turns"], first["turns"]),
        ]
        for number, each in enumerate(client.hours, 1)
    ]
    typer.echo(table(["hour", "MiB of the process", "turns", "ms from the first hour's"], rows))
    took = client.hours[-1]["took_s"]
    typer.echo(
        f"{3600 * hours / took:.0f} times as fast as time goes; {1000 * core:.1f} ms of a core for "
        f"a second; {len(client.wrong)} wrong"
    )
    for sentence in client.wrong[:5]:
        typer.echo(sentence)
    found = {"hours": client.hours, "wrong": client.wrong, "core": core, "speed": speed}
    typer.echo(f"Written to {results.write('live-long', found)}")
    same = all(len(each["turns"]) == len(first["turns"]) for each in client.hours)
    raise typer.Exit(int(bool(client.wrong) or not same))


def _append(audio: bytes) -> str:
    """The event with a part of the audio."""
    said = base64.b64encode(audio).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": said})


def _minute() -> bytes:
    """16-bit PCM at 24 kHz. Raises NoSpeech."""
    samples = np.zeros(_MINUTE, np.float64)
    said = np.concatenate([np.frombuffer(pcm(each.path), "<i2") for each in clips(3)])
    said = said[: _NOISE[0] - RATE - _SPOKEN_AT]
    samples[_SPOKEN_AT : _SPOKEN_AT + len(said)] = said
    first, last = _NOISE
    samples[first:last] += np.random.default_rng(0).normal(0, 600, last - first)
    return samples.astype("<i2").tobytes()


async def _converse(client: Client) -> None:
    service = LiveService(LiveSettings(), Clock(), FakeDiarizer(), LiveVoice, _TURNS)
    socket = WebSocket(
        {"type": "websocket", "headers": [], "subprotocols": []}, client.receive, client.send
    )
    await socket.accept()
    await Connection(socket, service, "clock", beta=False).run("owner", asyncio.sleep(0))


def _farthest(turns: list[int], first: list[int]) -> float | None:
    """The most that turns begin apart from those of another hour, in ms; None where there are not
    as many."""
    if len(turns) != len(first):
        return None
    return float(max((abs(a - b) for a, b in zip(turns, first, strict=True)), default=0))


if __name__ == "__main__":
    typer.run(main)
