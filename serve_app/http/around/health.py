"""Is the process up, and is the graph ready?"""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from serve_app.http.services import Given


class Health(BaseModel):
    status: Literal["ok"] = Field("ok", description="This process answers.")


class Ready(BaseModel):
    status: Literal["ready", "not ready"] = Field(description="Whether all stages are up.")
    stages: dict[str, bool] = Field(description="Each stage, and whether a replica of it is up.")


routes = APIRouter(tags=["health"])


@routes.get("/health", summary="Whether this process answers")
async def health() -> Health:
    return Health()


@routes.get(
    "/ready",
    summary="Whether every stage has a healthy replica",
    responses={503: {"model": Ready, "description": "Some stage has no healthy replica."}},
)
async def ready(services: Given, response: Response) -> Ready:
    stages = dict(await services.readiness.stages())
    if all(stages.values()):
        return Ready(status="ready", stages=stages)
    response.status_code = 503
    return Ready(status="not ready", stages=stages)
