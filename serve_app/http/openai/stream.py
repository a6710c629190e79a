"""`stream=true`: a transcription as server-sent events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import StreamingResponse

from interchange.errors import RayscribeError
from interchange.transcript import Segment, Transcript, Turn
from serve_app.http.around import sse
from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.errors import openai_error, rayscribe_error
from serve_app.http.around.sse import message, with_keep_alive
from serve_app.http.intake.source import recording_at_fault
from serve_app.http.openai.answers import (
    DiarizedSegments,
    answer,
    languages,
    logprobs,
    notes,
    text,
    token_usage,
)
from serve_app.http.openai.form import TranslationForm
from serve_app.http.services import StreamingTranscriber
from serve_app.transcription.events import (
    Event,
    Progress,
    SegmentReady,
    TranscriptReady,
    TurnsReady,
)
from serve_app.transcription.formats.document import seconds
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.speakers import assign, named

log = logging.getLogger("ray.serve")

_STATUS_SECONDS = 10.0
"""How long a stream waits for its first event before it begins, and errors are events."""


async def stream(
    request: Request,
    stack: AsyncExitStack,
    transcriber: StreamingTranscriber,
    wanted: TranscriptionRequest,
    form: TranslationForm,
) -> StreamingResponse:
    """The answer that streams a transcription. The work is stopped when the stack closes.

    Raises what the transcription raises before its first event, and ClientDisconnect.
    """
    events = transcriber.transcribe(wanted)
    first = asyncio.ensure_future(anext(events, None))
    stack.push_async_callback(_stop, events, first)
    # A recording that cannot be loaded fails before its first event: that is a status still.
    await while_connected(request, asyncio.wait({first}, timeout=_STATUS_SECONDS))
    if first.done():
        with recording_at_fault(wanted.source):
            first.result()

    async def all_events() -> AsyncIterator[Event]:
        with recording_at_fault(wanted.source):
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
    response_format: str = form.response_format
    body = _DiarizedBody(form) if response_format == "diarized_json" else _Body(form)
    async for event in events:
        match event:
            case Progress() if form.progress:
                yield message(_progress(event))
            case SegmentReady(segment):
                for each in body.segment(segment):
                    yield message(each)
            case TurnsReady(turns):
                for each in body.turns(turns):
                    yield message(each)
            case TranscriptReady(transcript):
                for each in body.rest(transcript):
                    yield message(each)
                yield message(_done(transcript, form))


Message = dict[str, Any]


class _Body:
    """The text of a streamed answer, a segment at a time. Joined, its deltas are the whole text."""

    def __init__(self, form: TranslationForm) -> None:
        self._form = form
        self._begun = False
        # White space that ends the text so far: part of the next delta, and of none at the end.
        self._owed = ""

    def segment(self, segment: Segment) -> Iterator[Message]:
        """What the next segment, whose speaker is not known yet, lets be said."""
        yield from self.delta(segment)

    def turns(self, turns: tuple[Turn, ...]) -> Iterator[Message]:
        """What the turns let be said."""
        yield from ()

    def rest(self, transcript: Transcript) -> Iterator[Message]:
        """What is left when all is known."""
        yield from ()

    def delta(self, segment: Segment, **more: str) -> Iterator[Message]:
        whole = self._owed + segment.text if self._begun else segment.text.lstrip()
        said = whole.rstrip()
        self._owed = whole[len(said) :]
        if not said:
            return
        delta: Message = {"type": "transcript.text.delta", "delta": said, **more}
        if self._form.wants_logprobs:
            delta["logprobs"] = logprobs([segment], begin=not self._begun)
        self._begun = True
        yield delta


class _DiarizedBody(_Body):
    """A segment waits until it is known who speaks in it, and is final then."""

    def __init__(self, form: TranslationForm) -> None:
        super().__init__(form)
        self._waiting: list[Segment] = []
        self._turns: tuple[Turn, ...] | None = None
        self._numbered = DiarizedSegments(form.given_names)

    def segment(self, segment: Segment) -> Iterator[Message]:
        if segment.speaker is not None and not self._waiting:  # by its channel
            yield from self._final(segment)
            return
        self._waiting.append(segment)
        if self._turns is not None:
            yield from self._assigned(self._turns)

    def turns(self, turns: tuple[Turn, ...]) -> Iterator[Message]:
        self._turns = named(turns, self._form.speaker_names)
        self._numbered.found(self._turns)
        yield from self._assigned(self._turns)

    def _assigned(self, turns: tuple[Turn, ...]) -> Iterator[Message]:
        for part in assign(self._waiting, turns):
            yield from self._final(part)
        self._waiting.clear()

    def rest(self, transcript: Transcript) -> Iterator[Message]:
        for segment in transcript.segments[self._numbered.count :]:
            yield from self._final(segment)

    def _final(self, segment: Segment) -> Iterator[Message]:
        numbered = self._numbered.next(segment)
        yield from self.delta(segment, segment_id=numbered["id"])
        yield numbered


def _progress(event: Progress) -> Message:
    return {
        "type": "transcript.progress",
        "loaded": seconds(event.loaded),
        "recognized": seconds(event.recognized),
        "total": None if event.total is None else seconds(event.total),
    }


def _done(transcript: Transcript, form: TranslationForm) -> Message:
    done: Message = {
        "type": "transcript.text.done",
        "text": text(transcript),
        "languages": languages(transcript),
    }
    if form.wants_logprobs:
        done["logprobs"] = logprobs(transcript.segments)
    done |= {"usage": token_usage(transcript), **notes(transcript)}
    if form.progress:
        done["output"] = answer(transcript, form)
    if form.outputs:
        done["outputs"] = {
            each: answer(transcript, form.model_copy(update={"response_format": each}))
            for each in form.outputs
        }
    return done
