"""The routes of whisper-asr-webservice: `POST /asr` and `POST /detect-language`."""

from contextlib import AsyncExitStack
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from interchange.errors import InvalidOption
from interchange.stages import BlobSource
from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.error_docs import Detail, error_responses
from serve_app.http.asr.answers import DetectedLanguage, answer, detected
from serve_app.http.asr.options import AsrOptions, Encoding
from serve_app.http.asr.pcm import as_wav
from serve_app.http.intake.profiles import whose_profiles
from serve_app.http.intake.quota import WithinHours
from serve_app.http.intake.transcription import transcription_request
from serve_app.http.intake.upload import RequestStack, read_upload
from serve_app.http.quality import notes_header
from serve_app.http.services import Given, Services
from serve_app.transcription.formats import MEDIA_TYPES

ASR = "/asr"
DETECT_LANGUAGE = "/detect-language"
UPLOAD_PATHS = frozenset({ASR, DETECT_LANGUAGE})

_FILE = "audio_file"

_RECORDING = {
    "type": "string",
    "format": "binary",
    "description": "The recording, in any container or codec that FFmpeg reads.",
}

_ERRORS = error_responses(
    Detail,
    {
        400: "The recording cannot be decoded, or the form is damaged.",
        401: "The key is missing or wrong.",
        403: "The key lacks the scope `transcribe`.",
        413: "The recording is larger or longer than the limits.",
        415: "The body is not a form.",
        429: "Too much audio waits; `Retry-After` says when to try again.",
        500: "A fault of the service.",
        503: "A stage cannot answer now; `Retry-After` says when to try again.",
        504: "It took longer than a request may here; jobs may take any time.",
    },
)

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [_FILE],
                    "properties": {_FILE: _RECORDING},
                }
            }
        },
    }
}

routes = APIRouter(tags=["whisper-asr-webservice"])


@routes.post(
    ASR,
    dependencies=[WithinHours],
    summary="Transcribe an uploaded recording",
    responses=_ERRORS
    | {200: {"content": {kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()}}},
    openapi_extra=_BODY,
)
async def asr(
    services: Given, request: Request, stack: RequestStack, options: Annotated[AsrOptions, Query()]
) -> Response:
    identify = whose_profiles(services, request, wanted=options.identify)
    source = await _recording(services, request, stack, options)
    wanted = options.to_request(source, identify)
    transcript = await while_connected(request, services.transcriber.run(wanted))
    name = quote(f"{source.name}.{options.output}")
    return Response(
        answer(transcript, options),
        media_type=f"{MEDIA_TYPES[options.output]}; charset=utf-8",
        headers={
            "Asr-Engine": "rayscribe",
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            **notes_header(transcript.quality),
        },
    )


@routes.post(
    DETECT_LANGUAGE,
    dependencies=[WithinHours],
    summary="The language at the beginning of an uploaded recording",
    responses=_ERRORS,
    openapi_extra=_BODY,
)
async def detect_language(
    services: Given, request: Request, stack: RequestStack, options: Annotated[Encoding, Query()]
) -> DetectedLanguage:
    source = await _recording(services, request, stack, options)
    # One window at a time: the first one says it nearly always.
    wanted = transcription_request(
        source,
        AsrOptions(channels="mix"),
        task="transcribe",
        words=False,
        speakers=False,
        batch_size=1,
    )
    return await while_connected(request, detected(services.transcriber.transcribe(wanted)))


async def _recording(
    services: Services, request: Request, stack: AsyncExitStack, options: Encoding
) -> BlobSource:
    received = await read_upload(
        services, request, stack, file_field=_FILE, wrap=None if options.encode else as_wav
    )
    if received.file is None:
        raise InvalidOption(f"There is no recording; upload it as '{_FILE}'.", _FILE)
    return received.file
