"""Captions of what is being said: `rayscribe live`."""

import asyncio
import base64
import io
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import typer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from serve_app.client import shared
from serve_app.client.failures import KeyRefused, NoService, Unreachable, failure_in_stream
from serve_app.client.live import microphone

_FRAME_S = 0.1
_AHEAD_S = 5.0
"""So much of what lies ready is sent ahead of its time: what is live never is."""

_TEXT = "conversation.item.input_audio_transcription"
_LAST = "last"


def live(  # noqa: PLR0917 - each is an option by name
    audio: Annotated[
        str | None,
        typer.Argument(
            metavar="-",
            help="- for 16-bit mono PCM that comes in by pipe; the microphone if not given.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        int, typer.Option(min=8_000, max=96_000, help="Samples a second of what comes by pipe.")
    ] = 24_000,
    language: shared.Language = None,
    prompt: shared.Prompt = None,
    server: shared.Server = shared.LOCAL,
    api_key: shared.ApiKey = None,
) -> None:
    """Write what is being said, as it is said.

    A line is what somebody says until a pause. From the microphone, which
    needs the extra `microphone`, or from any program that writes PCM:

        ffmpeg -i rtsp://camera -f s16le -ac 1 -ar 24000 - | rayscribe live -
    """
    if audio not in (None, "-"):
        raise typer.BadParameter("give - for a pipe, or nothing.", param_hint="'[-]'")
    url = shared.address(server)
    wanted = {"language": language, "prompt": prompt}
    with shared.exit_codes():
        source = _piped(rate) if audio else microphone.heard(rate, _FRAME_S)
        asyncio.run(_captions(url, api_key, source, rate, wanted))


async def _captions(
    url: str, key: str | None, source: AsyncIterator[bytes], rate: int, wanted: dict[str, Any]
) -> None:
    headers = {} if key is None else {"x-admin-api-key": key}
    address = urlsplit(f"{url}/v1/realtime?intent=transcription")
    secure = "wss" if address.scheme == "https" else "ws"
    try:
        async with connect(
            address._replace(scheme=secure).geturl(), additional_headers=headers, compression=None
        ) as socket:
            tasks = [
                asyncio.create_task(_write(socket)),
                asyncio.create_task(_speak(socket, source, rate, wanted)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                for task in (task for task in tasks if task.done()):
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
    except InvalidStatus as refused:
        status = refused.response.status_code
        if status in (401, 403):
            raise KeyRefused("The service refused the API key; see --api-key.") from refused
        raise Unreachable(f"The service at {url} answered HTTP {status}.") from refused
    except ConnectionClosed as closed:
        why = closed.rcvd.reason if closed.rcvd else str(closed)
        raise Unreachable(f"The session ended: {why or closed}") from closed
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise NoService(f"No service answers at {url} ({error}); is it running?") from error


async def _speak(
    socket: ClientConnection, source: AsyncIterator[bytes], rate: int, wanted: dict[str, Any]
) -> None:
    transcription = {name: value for name, value in wanted.items() if value is not None}
    given = {"format": {"type": "audio/pcm", "rate": rate}, "transcription": transcription}
    session = {"type": "transcription", "audio": {"input": given}}
    await _send(socket, "session.update", session=session)
    began, sent = time.monotonic(), 0.0
    async for data in source:
        await _send(socket, "input_audio_buffer.append", audio=base64.b64encode(data).decode())
        sent += len(data) / 2 / rate
        await asyncio.sleep(max(0.0, sent - _AHEAD_S - (time.monotonic() - began)))
    # What is left, and an answer behind all that comes of it.
    await _send(socket, "input_audio_buffer.commit", event_id=_LAST)
    await _send(socket, "input_audio_buffer.clear")


async def _send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def _write(socket: ClientConnection) -> None:
    """Write text as it comes, until all that was said is written.

    Raises ServiceFailure for an error, but for that of a last commit: nothing was left then.
    """
    open_items: set[str] = set()
    ended = False
    async for text in socket:
        event = json.loads(text)
        match event["type"]:
            case "input_audio_buffer.committed":
                open_items.add(event["item_id"])
            case "input_audio_buffer.cleared":
                ended = True
            case "error" if event["error"]["event_id"] != _LAST:
                raise failure_in_stream(event["error"])
            case kind if kind == f"{_TEXT}.delta":
                sys.stdout.write(event["delta"])
                sys.stdout.flush()
            case kind if kind in (f"{_TEXT}.completed", f"{_TEXT}.failed"):
                if event.get("transcript") or "error" in event:
                    sys.stdout.write("\n")
                    sys.stdout.flush()
                if "error" in event:
                    typer.echo(f"rayscribe: {event['error']['message']}", err=True)
                open_items.discard(event["item_id"])
        if ended and not open_items:
            return
    raise Unreachable(f"The session ended: {socket.close_reason or 'it was closed'}")


async def _piped(rate: int) -> AsyncIterator[bytes]:
    """Whole samples from stdin, as they come."""
    rest, stdin = b"", cast("io.BufferedReader", sys.stdin.buffer)
    most = round(rate * _FRAME_S) * 2
    while data := await asyncio.to_thread(stdin.read1, most):
        data = rest + data
        whole = len(data) - len(data) % 2
        rest = data[whole:]
        if whole:
            yield data[:whole]
