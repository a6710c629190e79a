"""Voice profiles: made from recordings, listed, changed, removed."""

from fastapi import APIRouter, Request, Response

from interchange.errors import InvalidOption
from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.error_docs import OpenAIError, error_responses
from serve_app.http.intake.known_speakers import learn_one
from serve_app.http.intake.profiles import TheirProfiles
from serve_app.http.intake.upload import RequestStack, admit
from serve_app.http.services import Given
from serve_app.http.speakers.answers import (
    SpeakerAnswer,
    SpeakerListAnswer,
    speaker_answer,
    speaker_list,
)
from serve_app.http.speakers.form import NewSpeaker, SpeakerChange, read_speaker, speaker_body

PATH = "/v1/speakers"
_ONE = f"{PATH}/{{speaker_id}}"
UPLOAD_PATHS = frozenset({PATH, f"{PATH}/"})

_KEY = error_responses(
    OpenAIError,
    {
        401: "The key is missing or wrong.",
        403: "Voice profiles are turned off; the sentence says how to turn them on.",
        503: "The job store, or a stage, is away.",
    },
)
_KNOWN = _KEY | error_responses(OpenAIError, {404: "There is no such profile."})
_SENT = error_responses(
    OpenAIError,
    {
        400: "The form or the JSON is damaged.",
        409: "There is another profile of that name, or there are too many.",
        413: "A recording is larger than the limit.",
        415: "The body is neither JSON nor a form.",
        422: "The name or a recording cannot be used: nobody is heard in it, or several are.",
        429: "Too much audio waits; `Retry-After` says when to try again.",
    },
)

routes = APIRouter(tags=["speakers"])


@routes.post(
    PATH,
    status_code=201,
    summary="Make somebody known by recordings of their voice",
    openapi_extra=speaker_body(NewSpeaker),
    responses=_KEY | _SENT,
)
async def add(
    services: Given,
    profiles: TheirProfiles,
    request: Request,
    response: Response,
    stack: RequestStack,
) -> SpeakerAnswer:
    admit(services, request.scope, stack)
    sent = await read_speaker(services, request, stack, NewSpeaker)
    name = sent.speaker.name
    sent.check(name)
    await profiles.check(name)
    voice = await while_connected(request, learn_one(services, name, sent.recordings, sent.param))
    profile = await profiles.add(voice)
    response.headers["Location"] = f"{PATH}/{profile.id}"
    return speaker_answer(profile, services.config.voice_model)


@routes.get(PATH, summary="Who is known, by name", responses=_KEY)
async def everybody(services: Given, profiles: TheirProfiles) -> SpeakerListAnswer:
    return speaker_list(await profiles.all(), services.config.voice_model)


@routes.get(_ONE, summary="One who is known", responses=_KNOWN)
async def one(services: Given, profiles: TheirProfiles, speaker_id: str) -> SpeakerAnswer:
    return speaker_answer(await profiles.get(speaker_id), services.config.voice_model)


@routes.patch(
    _ONE,
    summary="Call somebody by another name, or know them by further recordings",
    openapi_extra=speaker_body(SpeakerChange),
    responses=_KNOWN | _SENT,
)
async def change(
    services: Given,
    profiles: TheirProfiles,
    request: Request,
    stack: RequestStack,
    speaker_id: str,
) -> SpeakerAnswer:
    sent = await read_speaker(services, request, stack, SpeakerChange)
    model, known = services.config.voice_model, (await profiles.get(speaker_id)).voice
    name = sent.speaker.name or known.name
    heard = None
    if sent.recordings:
        admit(services, request.scope, stack)
        sent.check(name, len(known.embeddings) if known.model == model else 0)
        learning = learn_one(services, name, sent.recordings, sent.param)
        heard = await while_connected(request, learning)
    elif sent.speaker.name is None:
        raise InvalidOption("There is nothing to change; send a 'name' or recordings.", "name")
    return speaker_answer(await profiles.change(speaker_id, sent.speaker.name, heard), model)


@routes.delete(
    _ONE, status_code=204, summary="Forget somebody: their profile is removed", responses=_KNOWN
)
async def forget(profiles: TheirProfiles, speaker_id: str) -> None:
    await profiles.delete(speaker_id)
