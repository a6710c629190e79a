"""`stream=true`: a transcription as server-sent events."""

import logging
from collections.abc import AsyncIterator
from typing import Any

from interchange.errors import RayscribeError
from interchange.stages import Task
from interchange.transcript import Transcript
from serve_app.http.around.errors import openai_error, rayscribe_error
from serve_app.http.around.sse import message, with_keep_alive
from serve_app.http.openai.answers import answer, diarized_segments, text
from serve_app.http.openai.form import TranscriptionForm, TranslationForm
from serve_app.transcription.formats.document import seconds, usage
from serve_app.transcription.transcriber import Completed, Event, Progress, SegmentReady

log = logging.getLogger("ray.serve")


async def server_sent_events(
    events: AsyncIterator[Event], form: TranslationForm, *, task: Task
) -> AsyncIterator[str]:
    """The body of a streamed answer. An error in its middle is an event, then the end."""
    try:
        async for each in with_keep_alive(_messages(events, form, task)):
            yield each
    except RayscribeError as error:
        yield message(rayscribe_error(error))
    except Exception:
        log.exception("A transcription failed in the middle of its stream.")
        sentence = "An unexpected error of the service ended the transcription; see its log."
        yield message(openai_error(500, sentence, code="internal_error"))
    else:
        yield "data: [DONE]\n\n"


async def _messages(
    events: AsyncIterator[Event], form: TranslationForm, task: Task
) -> AsyncIterator[str]:
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
            case Completed(transcript):
                for closing in _closing(transcript, form, task):
                    yield message(closing)


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
