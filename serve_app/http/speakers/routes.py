"""Voice profiles: made from recordings, listed, renamed, removed."""

from typing import Any

from fastapi import APIRouter, Request, Response

from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.error_docs import OpenAIError, error_responses
from serve_app.http.intake.form_docs import whole_schema
from serve_app.http.intake.known_speakers import MOST_REFERENCES, learn_one
from serve_app.http.intake.profiles import TheirProfiles
from serve_app.http.intake.upload import RequestStack, admit
from serve_app.http.services import Given
from serve_app.http.speakers.answers import (
    SpeakerAnswer,
    SpeakerListAnswer,
    speaker_answer,
    speaker_list,
)
from serve_app.http.speakers.form import FILE, NewSpeaker, SpeakerName, read_speaker

PATH = "/v1/speakers"

_KEY = error_responses(
    OpenAIError,
    {
        401: "The key is missing or wrong.",
        403: "Voice profiles are turned off; the sentence says how to turn them on.",
        503: "The job store is away.",
    },
)
_KNOWN = _KEY | error_responses(OpenAIError, {404: "There is no such profile."})
_NAMED = error_responses(OpenAIError, {409: "There is another profile of that name."})


def _body() -> dict[str, Any]:
    form, schema = whole_schema(NewSpeaker), whole_schema(NewSpeaker)
    form["properties"][FILE] = {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "maxItems": MOST_REFERENCES,
        "description": "Recordings of this person alone, one or several.",
    }
    content = {"multipart/form-data": {"schema": form}, "application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


routes = APIRouter(tags=["speakers"])


@routes.post(
    PATH,
    status_code=201,
    summary="Make somebody known by recordings of their voice",
    openapi_extra=_body(),
    responses=_KEY
    | error_responses(
        OpenAIError,
        {
            400: "The form or the JSON is damaged.",
            409: "There is a profile of that name, or there are too many.",
            413: "A recording is larger than the limit.",
            415: "The body is neither JSON nor a form.",
            422: "The name or a recording cannot be used: nobody is heard in it, or several are.",
            429: "Too much audio waits; `Retry-After` says when to try again.",
        },
    ),
)
async def add(
    services: Given,
    profiles: TheirProfiles,
    request: Request,
    response: Response,
    stack: RequestStack,
) -> SpeakerAnswer:
    admit(services, request.scope, stack)
    new = await read_speaker(services, request, stack)
    await profiles.check(new.name)
    voice = await while_connected(request, learn_one(services, new.name, new.recordings, new.param))
    profile = await profiles.add(voice)
    response.headers["Location"] = f"{PATH}/{profile.id}"
    return speaker_answer(profile, services.config.voice_model)


@routes.get(PATH, summary="Who is known, by name", responses=_KEY)
async def everybody(services: Given, profiles: TheirProfiles) -> SpeakerListAnswer:
    return speaker_list(await profiles.all(), services.config.voice_model)


@routes.get(f"{PATH}/{{speaker_id}}", summary="One who is known", responses=_KNOWN)
async def one(services: Given, profiles: TheirProfiles, speaker_id: str) -> SpeakerAnswer:
    return speaker_answer(await profiles.get(speaker_id), services.config.voice_model)


@routes.patch(
    f"{PATH}/{{speaker_id}}",
    summary="Call somebody by another name",
    responses=_KNOWN | _NAMED | error_responses(OpenAIError, {422: "The name cannot be used."}),
)
async def rename(
    services: Given, profiles: TheirProfiles, speaker_id: str, body: SpeakerName
) -> SpeakerAnswer:
    return speaker_answer(await profiles.rename(speaker_id, body.name), services.config.voice_model)


@routes.delete(
    f"{PATH}/{{speaker_id}}",
    status_code=204,
    summary="Forget somebody: nothing of the voice is kept",
    responses=_KNOWN,
)
async def forget(profiles: TheirProfiles, speaker_id: str) -> None:
    await profiles.delete(speaker_id)
