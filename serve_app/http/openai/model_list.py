"""The configured model, as OpenAI's API lists models, and the names that mean it."""

import time
from typing import Literal

from pydantic import BaseModel, Field

from interchange.errors import NotFound

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

_STARTED = int(time.time())


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


def listed_model(configured: str) -> Model:
    owner = configured.split("/", maxsplit=1)[0] if "/" in configured else "rayscribe"
    return Model(id=configured, created=_STARTED, owned_by=owner)


def check_model(asked: str, configured: str) -> None:
    """Raises UnknownModel for a name that is neither the configured one nor an alias."""
    if asked != configured and asked not in ALIASES:
        raise UnknownModel(
            f"The model {asked!r} does not exist here; use {configured!r} or 'whisper-1'."
        )
