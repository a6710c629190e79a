"""`stream=true`: a transcription as server-sent events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import StreamingResponse

from interchange.errors import RayscribeError
from interchange.transcript import Transcript
from serve_app.http.around import sse
from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.errors import openai_error, rayscribe_error
from serve_app.http.around.sse import message, with_keep_alive
from serve_app.http.openai.answers import answer, diarized_segments, notes, text
from serve_app.http.openai.form import TranscriptionForm, TranslationForm
from serve_app.transcription.events import Event, Progress, SegmentReady, TranscriptReady
from serve_app.transcription.formats.document import seconds, usage

log = logging.getLogger("ray.serve")

_STATUS_SECONDS = 10.0
"""How long a stream waits for its first event before it begins, and errors are events."""


async def stream(
    request: Request,
    stack: AsyncExitStack,
    events: AsyncGenerator[Event, None],
    form: TranslationForm,
) -> StreamingResponse:
    """The answer that streams these events. The work is stopped when the stack closes.

    Raises what the transcription raises before its first event, and ClientDisconnect.
    """
    first = asyncio.ensure_future(anext(events, None))
    stack.push_async_callback(_stop, events, first)
    # A recording that cannot be loaded fails before its first event: that is a status still.
    await while_connected(request, asyncio.wait({first}, timeout=_STATUS_SECONDS))
    if first.done():
        first.result()

    async def all_events() -> AsyncIterator[Event]:
        event = await first
        while event is not None:
            yield event
            event = await anext(events, None)

    return sse.response(_server_sent_events(all_events(), form))


async def _stop(events: AsyncGenerator[Event, None], first: asyncio.Future[Event | None]) -> None:
    with anyio.CancelScope(shield=True):
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await events.aclose()


async def _server_sent_events(
    events: AsyncIterator[Event], form: TranslationForm
) -> AsyncIterator[str]:
    """The body of a streamed answer. An error in its middle is an event, then the end."""
    try:
        async for each in with_keep_alive(_messages(events, form)):
            yield each
    except RayscribeError as error:
        yield message(rayscribe_error(error))
    except Exception:
        log.exception("A transcription failed in the middle of its stream.")
        sentence = "An unexpected error of the service ended the transcription; see its log."
        yield message(openai_error(500, sentence, code="internal_error"))
    else:
        yield "data: [DONE]\n\n"


async def _messages(events: AsyncIterator[Event], form: TranslationForm) -> AsyncIterator[str]:
    begun = False
    async for event in events:
        match event:
            case Progress() if form.progress:
                yield message(_progress(event))
            case SegmentReady(segment):
                delta = segment.text if begun else segment.text.lstrip()
                begun = begun or bool(delta)
                if delta:
                    yield message({"type": "transcript.text.delta", "delta": delta})
            case TranscriptReady(transcript):
                for closing in _closing(transcript, form):
                    yield message(closing)


def _progress(event: Progress) -> dict[str, Any]:
    return {
        "type": "transcript.progress",
        "loaded": seconds(event.loaded),
        "recognized": seconds(event.recognized),
        "total": None if event.total is None else seconds(event.total),
    }


def _closing(transcript: Transcript, form: TranslationForm) -> list[dict[str, Any]]:
    diarized = isinstance(form, TranscriptionForm) and form.response_format == "diarized_json"
    # Who speaks in a segment is known once the whole recording was heard.
    messages = list(diarized_segments(transcript)) if diarized else []
    done: dict[str, Any] = {
        "type": "transcript.text.done",
        "text": text(transcript),
        "usage": usage(transcript),
        **notes(transcript),
    }
    if form.progress:
        done["output"] = answer(transcript, form)
    return [*messages, done]
