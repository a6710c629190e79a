"""Is the process up, and is the graph ready?"""

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from interchange.errors import RayscribeError
from serve_app.http.services import Given, Services


class Health(BaseModel):
    status: Literal["ok"] = Field("ok", description="This process answers.")


class Ready(BaseModel):
    status: Literal["ready", "not ready"] = Field(description="Whether all stages are up.")
    stages: dict[str, bool] = Field(description="Each stage, and whether a replica of it is up.")
    store: bool = Field(description="Whether jobs can be kept now.")
    disk: bool = Field(description="Whether there is room for recordings.")


routes = APIRouter(tags=["health"])


@routes.get("/health", summary="Whether this process answers")
async def health() -> Health:
    return Health()


@routes.get(
    "/ready",
    summary="Whether every stage has a healthy replica, and there are a store and a disk for it",
    responses={503: {"model": Ready, "description": "Something of it is missing."}},
)
async def ready(services: Given, response: Response) -> Ready:
    found, store, disk = await asyncio.gather(
        services.readiness.stages(), _store(services), services.readiness.disk()
    )
    stages = dict(found)
    ready = all(stages.values()) and store and disk
    if not ready:
        response.status_code = 503
    return Ready(status="ready" if ready else "not ready", stages=stages, store=store, disk=disk)


async def _store(services: Services) -> bool:
    try:
        await services.jobs.check()
    except RayscribeError:
        return False
    return True
