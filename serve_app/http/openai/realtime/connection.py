"""One client's WebSocket: its events in, the session's events out."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Sequence
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from interchange.errors import QueueFull, RayscribeError
from serve_app.http.openai.realtime.client_events import (
    ClientEvent,
    UnknownEventType,
    parse,
)
from serve_app.http.openai.realtime.config import SessionConfig
from serve_app.http.openai.realtime.server_events import Message, Writer, error, message
from serve_app.live.audio import AudioDecoder
from serve_app.live.events import Event
from serve_app.live.runner import LiveRunner
from serve_app.live.service import LiveService

GOING_AWAY, TOO_BIG, TRY_LATER = 1001, 1009, 1013
_LONGEST_REASON = 123  # bytes, by RFC 6455


class _Closed(Exception):
    """The session is over; the arguments are the code and the reason of the close."""


class Connection:
    """Serves one client until it leaves, or until a limit of the settings ends the session."""

    def __init__(self, socket: WebSocket, service: LiveService, model: str, *, beta: bool) -> None:
        self._socket = socket
        self._service = service
        self._settings = service.settings
        self._model = model
        self._id = uuid.uuid4().hex[:20]
        self._config = SessionConfig()
        self._decode = AudioDecoder(self._config.input.format.audio)
        self._writer = Writer()
        self._writer.beta = beta
        self._until = time.monotonic() + self._settings.max_session_s
        self._expires_at = int(time.time() + self._settings.max_session_s)

    async def run(self, owner: str, allowed: Awaitable[None]) -> None:
        """Until the end of the session; `owner` is whoever has the same key. `allowed` raises
        QueueFull where it may not begin one now."""
        # Whoever is gone cannot be told anything.
        with suppress(WebSocketDisconnect):
            try:
                await allowed
                await self._serve(owner)
            except _Closed as closed:
                await self._close(*closed.args)
            except QueueFull as full:
                await self._send(error(full, None))
                await self._close(TRY_LATER, full.message)

    async def _serve(self, owner: str) -> None:
        options = self._config.options(self._service.detection)
        async with self._service.session(self._id, owner, options, self._tell) as runner:
            await self._send(self._session("created"))
            while True:
                await self._take(runner, await self._receive())

    # -------------------------------------------------------------------------- coming in

    async def _receive(self) -> str:
        """The next event's text. Raises _Closed and WebSocketDisconnect."""
        idle, left = self._settings.idle_timeout_s, self._until - time.monotonic()
        try:
            got = await asyncio.wait_for(self._socket.receive(), max(min(idle, left), 0))
        except TimeoutError:
            if left <= idle:
                hours = self._settings.max_session_s / 3600
                raise _Closed(GOING_AWAY, f"A session lasts {hours:g} h; open another.") from None
            raise _Closed(GOING_AWAY, f"No event came for {idle:g} s.") from None
        if got["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(got.get("code") or 1005)
        text: str | None = got.get("text")
        if text is None:
            return ""  # bytes are no event
        if len(text) > self._settings.max_event_bytes:
            limit = self._settings.max_event_bytes
            raise _Closed(TOO_BIG, f"An event has at most {limit} bytes; send shorter audio.")
        return text

    async def _take(self, runner: LiveRunner, text: str) -> None:
        """Do what an event says, or answer what is wrong with it."""
        event_id: str | None = None
        try:
            event = parse(text)
            event_id = event.event_id
            await self._do(runner, event)
        except RayscribeError as fault:
            await self._send(error(fault, event_id))

    async def _do(self, runner: LiveRunner, event: ClientEvent) -> None:
        match event.type:
            case "input_audio_buffer.append":
                await runner.append(self._decode(event.audio))
                if runner.held_s > self._settings.max_buffer_s:
                    raise _Closed(
                        TOO_BIG,
                        f"{runner.held_s:.0f} s of audio wait: it comes faster than it is heard.",
                    )
            case "input_audio_buffer.commit":
                await runner.commit()
            case "input_audio_buffer.clear":
                await runner.clear()
            case "session.update" | "transcription_session.update":
                await self._update(runner, event)
            case _:
                raise UnknownEventType(
                    f"There is no event of the type {event.type[:80]!r} in a transcription "
                    "session; send session.update, or input_audio_buffer's append, commit or "
                    "clear.",
                    "type",
                )

    async def _update(self, runner: LiveRunner, event: ClientEvent) -> None:
        config = self._config.updated(event.values.get("session"))
        if config.input.format != self._config.input.format:
            self._decode = AudioDecoder(config.input.format.audio)
        self._config = config
        self._writer.beta = event.type.startswith("transcription_session")
        options = config.options(self._service.detection)
        self._writer.logprobs = options.logprobs
        await runner.configure(options)
        await self._send(self._session("updated"))

    # -------------------------------------------------------------------------- going out

    async def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            for each in self._writer.messages(event):
                await self._send(each)

    async def _send(self, content: Message) -> None:
        try:
            await self._socket.send_text(json.dumps(content, ensure_ascii=False))
        except RuntimeError as gone:  # what Serve and starlette raise once a client is gone
            raise WebSocketDisconnect(1006) from gone

    def _session(self, change: str) -> Message:
        beta = self._writer.beta
        shown = self._config.shown(f"sess_{self._id}", self._model, self._expires_at, beta=beta)
        return message(f"{'transcription_' if beta else ''}session.{change}", session=shown)

    async def _close(self, code: int, reason: str) -> None:
        short = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        with suppress(RuntimeError):  # it is closed
            await self._socket.close(code, short)
