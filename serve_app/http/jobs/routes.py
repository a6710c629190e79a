"""Jobs: work that outlives its request, and survives the service."""

import asyncio
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from interchange.errors import InvalidOption, NotFound
from interchange.stages import BlobSource, UrlSource
from serve_app.http.around import sse
from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.error_docs import OpenAIError, error_responses
from serve_app.http.gate.auth import caller
from serve_app.http.intake.client_jobs import TheirJobs
from serve_app.http.intake.form_docs import form_body, whole_schema
from serve_app.http.intake.quota import WithinHours, check_waiting
from serve_app.http.intake.upload import RequestStack
from serve_app.http.jobs.answers import (
    DeliveryListAnswer,
    JobAnswer,
    JobListAnswer,
    PeaksAnswer,
    delivery_list,
    job_answer,
    job_list,
)
from serve_app.http.jobs.events import Position, ended, job_events
from serve_app.http.jobs.form import JobOptions, read_job
from serve_app.http.jobs.recording import recording_answer
from serve_app.http.jobs.remote import RemotePieces, remote_answer
from serve_app.http.quality import notes_header
from serve_app.http.services import Given
from serve_app.jobs.job import JobStatus
from serve_app.transcription.formats import MEDIA_TYPES, render

PATH = "/v1/jobs"

FileFormat = Literal["json", "txt", "srt", "vtt", "tsv"]

_KEY = error_responses(
    OpenAIError,
    {
        401: "The key is missing or wrong.",
        403: "The key lacks the scope `jobs`.",
        503: "The job store is away.",
    },
)
_KNOWN = _KEY | error_responses(OpenAIError, {404: "There is no such job, or its time is over."})

_TEXT = {"schema": {"type": "string"}}

_LONGEST_KEY = 255


def _body() -> dict[str, Any]:
    body = form_body(JobOptions)
    body["requestBody"]["content"]["application/json"] = {"schema": whole_schema(JobOptions)}
    return body


routes = APIRouter(tags=["jobs"])


@routes.post(
    PATH,
    status_code=202,
    dependencies=[WithinHours],
    summary="Accept a recording, by URL or uploaded",
    openapi_extra=_body(),
    responses=_KEY
    | error_responses(
        OpenAIError,
        {
            400: "The form or the JSON is damaged, or the URL cannot be used.",
            409: "The Idempotency-Key belongs to another request.",
            413: "The upload is larger than the limit.",
            415: "The body is neither JSON nor a form.",
            422: "An option has a value that it cannot have.",
            429: "The key has had as much as it may, or has too many jobs waiting.",
        },
    ),
)
async def submit(
    services: Given,
    jobs: TheirJobs,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(description="The same key and request again answer the job there is."),
    ] = None,
) -> JobAnswer:
    if idempotency_key is not None and not 0 < len(idempotency_key) <= _LONGEST_KEY:
        raise InvalidOption(
            f"An Idempotency-Key has 1 to {_LONGEST_KEY} characters.", "Idempotency-Key"
        )
    await check_waiting(jobs, request)
    new = await read_job(services, request, idempotency_key)
    created = False
    try:
        job, created = await jobs.submit(new)
    finally:
        # The recording of a job that was accepted is the job's.
        if not created and isinstance(new.request.source, BlobSource):
            await services.uploads.delete(new.request.source)
    response.headers["Location"] = f"{PATH}/{job.id}"
    return job_answer(job)


@routes.get(
    PATH,
    summary="The jobs, newest first",
    responses=_KEY | error_responses(OpenAIError, {422: "The cursor is none of this service."}),
)
async def page(
    jobs: TheirJobs,
    status: JobStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> JobListAnswer:
    return job_list(await jobs.store.page(status=status, limit=limit, cursor=cursor))


@routes.get(f"{PATH}/{{job_id}}", summary="How a job stands", responses=_KNOWN)
async def job(jobs: TheirJobs, job_id: str) -> JobAnswer:
    return job_answer(await jobs.store.get(job_id))


@routes.get(
    f"{PATH}/{{job_id}}/transcript",
    summary="What a completed job found",
    response_class=Response,
    responses=_KNOWN
    | error_responses(OpenAIError, {409: "The job has no transcript, or none yet."})
    | {200: {"content": {kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()}}},
)
async def transcript(
    jobs: TheirJobs,
    job_id: str,
    output_format: Annotated[
        Literal["json", "txt", "srt", "vtt", "tsv"], Query(alias="format")
    ] = "json",
) -> Response:
    found = await jobs.store.transcript(job_id)
    return Response(
        render(found, output_format),
        media_type=f"{MEDIA_TYPES[output_format]}; charset=utf-8",
        headers=notes_header(found.quality),
    )


@routes.get(
    f"{PATH}/{{job_id}}/peaks",
    summary="How loud the recording of a completed job is over its length",
    responses=_KNOWN
    | error_responses(OpenAIError, {409: "The job has no transcript, or none yet."}),
)
async def peaks(jobs: TheirJobs, job_id: str) -> PeaksAnswer:
    waveform = (await jobs.store.transcript(job_id)).waveform
    if waveform is None:
        raise NotFound(f"Job {job_id!r} was transcribed before the service kept peaks.")
    return PeaksAnswer(step=waveform.step, data=list(waveform.peaks))


@routes.get(
    f"{PATH}/{{job_id}}/recording",
    summary="The recording of a job, whole or a range of it",
    description="An upload comes from the storage; what came by URL is passed on from there, and "
    "is not kept.",
    response_class=Response,
    responses=error_responses(
        OpenAIError,
        {
            400: "It came by URL, and cannot be fetched from there (any more).",
            401: "The key is missing or wrong.",
            404: "There is no such job, or its time is over.",
            413: "It came by URL, and is larger than the limit now.",
            429: "Too many recordings are passed on from elsewhere.",
            503: "The job store is away, or the stage that fetches.",
        },
    )
    | {
        200: {"content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The range that the header Range asks for."},
        416: {"description": "The range lies behind the recording's end."},
    },
)
async def recording(
    services: Given,
    jobs: TheirJobs,
    request: Request,
    stack: RequestStack,
    job_id: str,
    *,
    wanted: Annotated[
        str | None, Header(alias="Range", description="Which bytes, such as `bytes=0-1023`.")
    ] = None,
) -> Response:
    job = await jobs.store.get(job_id)
    source = job.request.source
    if isinstance(source, UrlSource):
        pieces = RemotePieces(services.remote, source)
        await stack.enter_async_context(aclosing(pieces))
        return await while_connected(request, remote_answer(pieces, job.name, wanted))
    file = await asyncio.to_thread(services.uploads.open, source)
    return await recording_answer(file, source.name, wanted)


@routes.get(
    f"{PATH}/{{job_id}}/events",
    summary="Progress and segments as they come, as server-sent events",
    response_class=Response,
    responses=_KNOWN
    | error_responses(OpenAIError, {422: "The Last-Event-ID is none of this stream."})
    | {
        200: {
            "description": "Events `progress`, `segment`, and in the end one named after the "
            "job's status.",
            "content": {"text/event-stream": _TEXT},
        },
        204: {"description": "The client saw the last event already."},
    },
)
async def events(
    jobs: TheirJobs,
    job_id: str,
    last_event_id: Annotated[
        str | None, Header(description="Where a broken connection goes on.")
    ] = None,
) -> Response:
    found = await jobs.store.get(job_id)
    if ended(last_event_id):
        # What tells a browser's EventSource not to connect again.
        return Response(status_code=204)
    after = Position.parse(last_event_id) if last_event_id else None
    stream = job_events(jobs.store, found, after, jobs.poll_s)
    return sse.response(sse.with_keep_alive(stream))


@routes.post(
    f"{PATH}/{{job_id}}/cancel",
    summary="Stop a job",
    responses=_KNOWN | error_responses(OpenAIError, {409: "The job has ended already."}),
)
async def cancel(jobs: TheirJobs, job_id: str) -> JobAnswer:
    return job_answer(await jobs.cancel(job_id))


@routes.delete(
    f"{PATH}/{{job_id}}",
    status_code=204,
    summary="Remove an ended job with its recording and its result",
    responses=_KNOWN | error_responses(OpenAIError, {409: "The job has not ended."}),
)
async def delete(services: Given, jobs: TheirJobs, request: Request, job_id: str) -> None:
    job = await jobs.store.get(job_id)
    await jobs.store.delete(job_id)
    # What it took still counts.
    services.admission.usage.add(caller(request.scope).name, job.recognized)


@routes.get(
    f"{PATH}/{{job_id}}/deliveries",
    summary="The webhooks of a job, with the log of every try",
    responses=_KNOWN,
)
async def deliveries(jobs: TheirJobs, job_id: str) -> DeliveryListAnswer:
    return delivery_list(await jobs.deliveries(job_id))


@routes.post(
    f"{PATH}/{{job_id}}/deliveries/{{delivery_id}}/redeliver",
    status_code=202,
    summary="Send a webhook again, under the same id",
    responses=_KNOWN,
)
async def redeliver(jobs: TheirJobs, job_id: str, delivery_id: str) -> DeliveryListAnswer:
    await jobs.redeliver(job_id, delivery_id)
    return delivery_list(await jobs.deliveries(job_id))
