"""The routes of insanely-fast-whisper-api: `POST /` and its tasks."""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from serve_app.http.around.disconnect import while_connected
from serve_app.http.around.error_docs import Detail, error_responses
from serve_app.http.gate.auth import need_scope
from serve_app.http.intake.client_jobs import TheirJobs
from serve_app.http.intake.known_speakers import learn
from serve_app.http.intake.profiles import whose_profiles
from serve_app.http.intake.quota import WithinHours, check_waiting
from serve_app.http.intake.upload import RequestStack, admit
from serve_app.http.seed.answers import Accepted, Completed, TaskList, TaskStatus, output
from serve_app.http.seed.body import SeedRequest
from serve_app.http.services import Given

_KEY = error_responses(
    Detail,
    {
        401: "The key is missing or wrong.",
        403: "The key may not do this.",
        503: "The job store is away.",
    },
)
_KNOWN = _KEY | error_responses(
    Detail, {404: "There is no such task, or its retention time is over."}
)

routes = APIRouter(tags=["insanely-fast-whisper-api"])


@routes.post(
    "/",
    dependencies=[WithinHours],
    summary="Transcribe a recording from a URL",
    response_model_exclude_none=True,
    responses=error_responses(
        Detail,
        {
            400: "The URL cannot be used, its content is not audio, or a webhook is missing.",
            401: "The key is missing or wrong.",
            403: "The key may not do this.",
            413: "The recording is larger or longer than the limits.",
            429: "Too much audio waits; `Retry-After` says when to try again.",
            500: "A fault of the service.",
            409: "Another task with this id runs, or the task was cancelled.",
            503: "A stage cannot answer now; `Retry-After` says when to try again.",
            504: "It took longer than a request may here; jobs may take any time.",
        },
    ),
)
async def transcribe(
    services: Given,
    jobs: TheirJobs,
    request: Request,
    stack: RequestStack,
    body: SeedRequest,
) -> Completed | Accepted:
    # The original's clients rely on the order of these checks.
    if not body.url.lower().startswith("http"):
        raise HTTPException(400, "Invalid URL")
    if body.diarise_audio and services.config.gated_without_token:
        raise HTTPException(500, "Missing Hugging Face Token")
    if body.is_async and body.webhook is None:
        raise HTTPException(400, "Webhook is required for async tasks")
    need_scope(request.scope, "jobs" if body.is_async else "transcribe")
    identify = whose_profiles(services, request, wanted=body.identify)
    known = await while_connected(request, learn(services, body.known_speakers, "known_speakers"))
    job = body.to_job(known, identify)
    if body.is_async:
        await check_waiting(jobs, request)
        await jobs.submit(job)
        return Accepted(task_id=job.task_id, fly_machine_id=services.config.fly_machine_id)
    admit(services, request.scope, stack)
    transcript = await while_connected(request, jobs.run(job))
    return Completed(
        output=output(transcript, words=body.timestamp == "word"),
        task_id=job.task_id,
        fly_machine_id=services.config.fly_machine_id,
    )


@routes.get("/tasks", summary="The tasks that are not finished", responses=_KEY)
async def tasks(jobs: TheirJobs) -> TaskList:
    return TaskList(tasks=await jobs.store.live_tasks())


@routes.get(
    "/status/{task_id}",
    summary="What became of a task",
    response_model_exclude_none=True,
    responses=_KNOWN,
)
async def status(jobs: TheirJobs, task_id: str) -> TaskStatus:
    job = await jobs.store.task(task_id)
    match job.status:
        case "completed":
            transcript = await jobs.store.transcript(job.id)
            return TaskStatus(
                status="completed", output=output(transcript, words=job.request.words)
            )
        case "failed":
            return TaskStatus(status="error", error=job.failure.message if job.failure else None)
        case "cancelled":
            return TaskStatus(status="cancelled")
    return TaskStatus(status="processing")


@routes.delete(
    "/cancel/{task_id}",
    summary="Stop a task",
    response_model_exclude_none=True,
    responses=_KNOWN | error_responses(Detail, {409: "The task has ended already."}),
)
async def cancel(jobs: TheirJobs, task_id: str) -> TaskStatus:
    job = await jobs.store.task(task_id)
    await jobs.cancel(job.id, called=f"Task {task_id!r}")
    return TaskStatus(status="cancelled")
