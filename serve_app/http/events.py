"""`stream=true`: a transcription as server-sent events."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from serve_app.errors import RayscribeError
from serve_app.http.errors import openai_error, rayscribe_error
from serve_app.http.openai_answers import answer, diarized_segments, text
from serve_app.http.openai_form import TranscriptionForm, TranslationForm
from serve_app.transcription.formats.document import seconds, usage
from serve_app.transcription.stages import Task
from serve_app.transcription.transcriber import Completed, Event, Progress, SegmentReady
from serve_app.transcription.transcript import Transcript

log = logging.getLogger("ray.serve")

KEEP_ALIVE_SECONDS = 15.0
"""Proxies drop a connection that is silent for a minute or less."""


async def server_sent_events(
    events: AsyncIterator[Event], form: TranslationForm, *, task: Task
) -> AsyncIterator[str]:
    """The body of a streamed answer. An error in its middle is an event, then the end."""
    try:
        async for message in _with_keep_alive(_messages(events, form, task)):
            yield message
    except RayscribeError as error:
        yield _data(rayscribe_error(error))
    except Exception:
        log.exception("A transcription failed in the middle of its stream.")
        sentence = "An unexpected error of the service ended the transcription; see its log."
        yield _data(openai_error(500, sentence, code="internal_error"))
    else:
        yield "data: [DONE]\n\n"


async def _messages(
    events: AsyncIterator[Event], form: TranslationForm, task: Task
) -> AsyncIterator[str]:
    begun = False
    async for event in events:
        match event:
            case Progress() if form.progress:
                yield _data(_progress(event))
            case SegmentReady(segment):
                delta = segment.text if begun else segment.text.lstrip()
                begun = begun or bool(delta)
                if delta:
                    yield _data({"type": "transcript.text.delta", "delta": delta})
            case Completed(transcript):
                for message in _closing(transcript, form, task):
                    yield _data(message)


def _progress(event: Progress) -> dict[str, Any]:
    return {
        "type": "transcript.progress",
        "loaded": seconds(event.loaded),
        "recognized": seconds(event.recognized),
        "total": None if event.total is None else seconds(event.total),
    }


def _closing(transcript: Transcript, form: TranslationForm, task: Task) -> list[dict[str, Any]]:
    diarized = isinstance(form, TranscriptionForm) and form.response_format == "diarized_json"
    # Who speaks in a segment is known once the whole recording was heard.
    messages = list(diarized_segments(transcript)) if diarized else []
    done: dict[str, Any] = {
        "type": "transcript.text.done",
        "text": text(transcript),
        "usage": usage(transcript),
    }
    if form.progress:
        done["output"] = answer(transcript, form, task)
    return [*messages, done]


def _data(message: dict[str, Any]) -> str:
    return f"data: {json.dumps(message, ensure_ascii=False)}\n\n"


async def _with_keep_alive(messages: AsyncIterator[str]) -> AsyncIterator[str]:
    """Fill silences with comments, which clients skip."""
    while True:
        upcoming = asyncio.ensure_future(anext(messages, None))
        try:
            while not (await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_SECONDS))[0]:
                yield ": keep-alive\n\n"
        finally:
            if not upcoming.done():
                upcoming.cancel()
                with suppress(asyncio.CancelledError):
                    await upcoming
        message = upcoming.result()
        if message is None:
            return
        yield message
