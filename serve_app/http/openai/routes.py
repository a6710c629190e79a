"""The dialect of OpenAI's audio API: transcriptions, translations, models."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from interchange.errors import InvalidOption, InvalidSource, NotFound
from interchange.stages import BlobSource, Source, Task, UrlSource
from serve_app.http.around import sse
from serve_app.http.around.disconnect import while_connected
from serve_app.http.intake.form import read_form
from serve_app.http.intake.form_docs import RESPONSES, form_body
from serve_app.http.intake.options import OpenAIError, errors
from serve_app.http.openai.answers import (
    DiarizedAnswer,
    JsonAnswer,
    VerboseAnswer,
    answer,
    media_type,
)
from serve_app.http.openai.form import F, TranscriptionForm, TranslationForm, parse_form
from serve_app.http.openai.stream import server_sent_events
from serve_app.http.services import Services, Uploads
from serve_app.transcription.transcriber import Event, TranscriptionRequest

TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
UPLOAD_PATHS = frozenset({TRANSCRIPTIONS, TRANSLATIONS})

ALIASES = frozenset(
    {
        "whisper-1",
        "gpt-4o-transcribe",
        "gpt-4o-mini-transcribe",
        "gpt-4o-transcribe-diarize",
        "gpt-transcribe",
    }
)
"""OpenAI's own names, which all mean the configured model."""


_STATUS_SECONDS = 10.0
"""How long a stream waits for its first event before it begins, and errors are events."""


class UnknownModel(NotFound):
    code = "model_not_found"


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When this process started, in seconds since 1970.")
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


async def _request_stack() -> AsyncIterator[AsyncExitStack]:
    """What a request has opened is closed once its answer was sent, or its client is gone."""
    async with AsyncExitStack() as stack:
        yield stack


RequestStack = Annotated[AsyncExitStack, Depends(_request_stack)]


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["OpenAI"])
    dialect = _Dialect(services)

    @routes.post(
        TRANSCRIPTIONS,
        summary="Transcribe an uploaded recording",
        response_model=JsonAnswer | VerboseAnswer | DiarizedAnswer,
        responses=RESPONSES,
        openapi_extra=form_body(TranscriptionForm),
    )
    async def transcriptions(request: Request, stack: RequestStack) -> Response:
        form, source = await dialect.read(request, stack, TranscriptionForm)
        return await dialect.respond(request, stack, form, source, "transcribe")

    @routes.post(
        TRANSLATIONS,
        summary="Transcribe an uploaded recording in English, whatever is spoken",
        response_model=JsonAnswer | VerboseAnswer,
        responses=RESPONSES,
        openapi_extra=form_body(TranslationForm),
    )
    async def translations(request: Request, stack: RequestStack) -> Response:
        form, source = await dialect.read(request, stack, TranslationForm)
        return await dialect.respond(request, stack, form, source, "translate")

    @routes.get("/v1/models", summary="The configured model")
    async def models() -> ModelList:
        return ModelList(data=[dialect.model])

    @routes.get(
        "/v1/models/{model_id:path}",
        summary="The configured model, by its id or an alias",
        responses=errors(OpenAIError, {404: "There is no such model."}),
    )
    async def model(model_id: str) -> Model:
        dialect.check_model(model_id)
        return dialect.model

    return routes


class _Dialect:
    """From a form to an answer."""

    def __init__(self, services: Services) -> None:
        self.services = services
        name = services.config.model
        owner = name.split("/")[0] if "/" in name else "rayscribe"
        self.model = Model(id=name, created=int(time.time()), owned_by=owner)

    def check_model(self, name: str) -> None:
        if name != self.model.id and name not in ALIASES:
            raise UnknownModel(
                f"The model {name!r} does not exist here; use {self.model.id!r} or 'whisper-1'."
            )

    async def read(
        self, request: Request, stack: AsyncExitStack, model: type[F]
    ) -> tuple[F, Source]:
        """The form, checked, and its recording, which is deleted when the stack closes."""
        uploads = self.services.uploads
        limit = self.services.config.max_upload_bytes
        received = await read_form(request, uploads, max_file_bytes=limit)
        if received.file is not None:
            stack.push_async_callback(_delete, uploads, received.file)
        form = parse_form(model, received.fields)
        self.check_model(form.model)
        return form, _source(received.file, form.url)

    async def respond(
        self,
        request: Request,
        stack: AsyncExitStack,
        form: TranslationForm,
        source: Source,
        task: Task,
    ) -> Response:
        wanted = TranscriptionRequest(
            id=str(uuid.uuid4()),
            source=source,
            task=task,
            language=form.language,
            languages=form.languages if isinstance(form, TranscriptionForm) else (),
            words=form.wants_words,
            speakers=form.wants_speakers,
            num_speakers=form.num_speakers,
            min_speakers=form.min_speakers,
            max_speakers=form.max_speakers,
            prompt=form.hints,
            temperature=form.temperature,
        )
        if form.stream:
            return await self._stream(request, stack, form, wanted)
        return await self._answer(request, form, wanted)

    async def _answer(
        self, request: Request, form: TranslationForm, wanted: TranscriptionRequest
    ) -> Response:
        transcript = await while_connected(request, self.services.transcriber.run(wanted))
        body = answer(transcript, form, wanted.task)
        if isinstance(body, str):
            return Response(body, media_type=f"{media_type(form.response_format)}; charset=utf-8")
        return JSONResponse(body)

    async def _stream(
        self,
        request: Request,
        stack: AsyncExitStack,
        form: TranslationForm,
        wanted: TranscriptionRequest,
    ) -> Response:
        events = self.services.transcriber.transcribe(wanted)
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

        return sse.response(server_sent_events(all_events(), form, task=wanted.task))


def _source(file: BlobSource | None, url: str | None) -> Source:
    if file is not None and url is not None:
        raise InvalidOption("The form has a 'file' and a 'url'; send one of them.", "url")
    if file is not None:
        return file
    if url is None:
        raise InvalidOption("The form has no recording; send it as 'file', or a 'url'.", "file")
    if not url.lower().startswith(("http://", "https://")):
        raise InvalidSource(f"The url {url!r} does not begin with http:// or https://.")
    return UrlSource(url)


async def _delete(uploads: Uploads, source: BlobSource) -> None:
    # The client may have gone, and with it this task been cancelled: the file goes all the same.
    with anyio.CancelScope(shield=True):
        await uploads.delete(source)


async def _stop(events: AsyncGenerator[Event, None], first: asyncio.Future[Event | None]) -> None:
    with anyio.CancelScope(shield=True):
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await events.aclose()
