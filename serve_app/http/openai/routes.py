"""The routes of OpenAI's audio API: transcriptions, translations, models."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

import anyio
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from interchange.stages import BlobSource
from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.error_docs import OpenAIError, error_responses
from serve_app.http.intake.form_docs import RESPONSES, form_body
from serve_app.http.intake.form_reader import read_form
from serve_app.http.intake.source import recording_source
from serve_app.http.openai.answers import (
    DiarizedAnswer,
    JsonAnswer,
    VerboseAnswer,
    answer,
    media_type,
)
from serve_app.http.openai.form import TranscriptionForm, TranslationForm, parse_form
from serve_app.http.openai.model_list import Model, ModelList, check_model, listed_model
from serve_app.http.openai.stream import stream
from serve_app.http.quality import notes_header
from serve_app.http.services import Given, Services, Uploads

TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
UPLOAD_PATHS = frozenset({TRANSCRIPTIONS, TRANSLATIONS})


async def _request_stack() -> AsyncIterator[AsyncExitStack]:
    """What a request has opened is closed once its answer was sent, or its client is gone."""
    async with AsyncExitStack() as stack:
        yield stack


RequestStack = Annotated[AsyncExitStack, Depends(_request_stack)]

routes = APIRouter(tags=["OpenAI"])


@routes.post(
    TRANSCRIPTIONS,
    summary="Transcribe an uploaded recording",
    response_model=JsonAnswer | VerboseAnswer | DiarizedAnswer,
    responses=RESPONSES,
    openapi_extra=form_body(TranscriptionForm),
)
async def transcriptions(services: Given, request: Request, stack: RequestStack) -> Response:
    return await _transcribe(services, request, stack, TranscriptionForm)


@routes.post(
    TRANSLATIONS,
    summary="Transcribe an uploaded recording in English, whatever is spoken",
    response_model=JsonAnswer | VerboseAnswer,
    responses=RESPONSES,
    openapi_extra=form_body(TranslationForm),
)
async def translations(services: Given, request: Request, stack: RequestStack) -> Response:
    return await _transcribe(services, request, stack, TranslationForm)


@routes.get("/v1/models", summary="The configured model")
async def models(services: Given) -> ModelList:
    return ModelList(data=[listed_model(services.config.model)])


@routes.get(
    "/v1/models/{model_id:path}",
    summary="The configured model, by its id or an alias",
    responses=error_responses(OpenAIError, {404: "There is no such model."}),
)
async def model(services: Given, model_id: str) -> Model:
    check_model(model_id, services.config.model)
    return listed_model(services.config.model)


async def _transcribe(
    services: Services, request: Request, stack: AsyncExitStack, kind: type[TranslationForm]
) -> Response:
    """The recording is deleted when the stack closes."""
    received = await read_form(
        request, services.uploads, max_file_bytes=services.config.max_upload_bytes
    )
    if received.file is not None:
        stack.push_async_callback(_delete, services.uploads, received.file)
    form = parse_form(kind, received.fields)
    check_model(form.model, services.config.model)
    wanted = form.to_request(recording_source(received.file, form.url, asked="file"))
    if form.stream:
        return await stream(request, stack, services.transcriber.transcribe(wanted), form)
    transcript = await while_connected(request, services.transcriber.run(wanted))
    body = answer(transcript, form)
    if isinstance(body, str):
        return Response(
            body,
            media_type=f"{media_type(form.response_format)}; charset=utf-8",
            headers=notes_header(transcript.quality),
        )
    return JSONResponse(body)


async def _delete(uploads: Uploads, source: BlobSource) -> None:
    # The client may have gone, and with it this task been cancelled: the file goes all the same.
    with anyio.CancelScope(shield=True):
        await uploads.delete(source)
