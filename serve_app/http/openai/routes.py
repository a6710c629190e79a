"""The routes of OpenAI's audio API: transcriptions, translations, models."""

from contextlib import AsyncExitStack

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.error_docs import OpenAIError, error_responses
from serve_app.http.intake.form_docs import RESPONSES, form_body
from serve_app.http.intake.known_speakers import learn
from serve_app.http.intake.profiles import whose_profiles
from serve_app.http.intake.quota import WithinHours
from serve_app.http.intake.source import recording_at_fault, recording_source
from serve_app.http.intake.upload import RequestStack, read_upload
from serve_app.http.openai.answers import (
    DiarizedAnswer,
    JsonAnswer,
    VerboseAnswer,
    answer,
    media_type,
)
from serve_app.http.openai.form import TranscriptionForm, TranslationForm, parse_form
from serve_app.http.openai.model_list import Model, ModelList, check_model, listed_model, model_list
from serve_app.http.openai.stream import stream
from serve_app.http.quality import notes_header
from serve_app.http.services import Given, Services

TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
UPLOAD_PATHS = frozenset({TRANSCRIPTIONS, TRANSLATIONS})

routes = APIRouter(tags=["OpenAI"])


@routes.post(
    TRANSCRIPTIONS,
    dependencies=[WithinHours],
    summary="Transcribe an uploaded recording",
    response_model=JsonAnswer | VerboseAnswer | DiarizedAnswer,
    responses=RESPONSES,
    openapi_extra=form_body(TranscriptionForm),
)
async def transcriptions(services: Given, request: Request, stack: RequestStack) -> Response:
    return await _transcribe(services, request, stack, TranscriptionForm)


@routes.post(
    TRANSLATIONS,
    dependencies=[WithinHours],
    summary="Transcribe an uploaded recording in English, whatever is spoken",
    response_model=JsonAnswer | VerboseAnswer,
    responses=RESPONSES,
    openapi_extra=form_body(TranslationForm),
)
async def translations(services: Given, request: Request, stack: RequestStack) -> Response:
    return await _transcribe(services, request, stack, TranslationForm)


@routes.get("/v1/models", summary="The configured model, and its aliases")
async def models(services: Given) -> ModelList:
    return model_list(services.config.model)


@routes.get(
    "/v1/models/{model_id:path}",
    summary="The configured model, by its id or an alias",
    responses=error_responses(OpenAIError, {404: "There is no such model."}),
)
async def model(services: Given, model_id: str) -> Model:
    return listed_model(model_id, services.config.model)


async def _transcribe(
    services: Services, request: Request, stack: AsyncExitStack, kind: type[TranslationForm]
) -> Response:
    received = await read_upload(services, request, stack)
    form = parse_form(kind, received.fields)
    check_model(form.model, services.config.model)
    source = recording_source(received.file, form.url, asked="file")
    identify = whose_profiles(services, request, wanted=form.identify)
    known = await while_connected(
        request, learn(services, form.known_speakers, "known_speaker_references")
    )
    wanted = form.to_request(source, known, identify)
    if form.stream:
        return await stream(request, stack, services.transcriber, wanted, form)
    with recording_at_fault(wanted.source):
        transcript = await while_connected(request, services.transcriber.run(wanted))
    body = answer(transcript, form)
    if isinstance(body, str):
        return Response(
            body,
            media_type=f"{media_type(form.response_format)}; charset=utf-8",
            headers=notes_header(transcript.quality),
        )
    return JSONResponse(body)
