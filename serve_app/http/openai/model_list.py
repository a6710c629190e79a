"""The configured model, as OpenAI's API lists models, and the names that mean it."""

import re
import time
from typing import Literal

from pydantic import BaseModel, Field

from interchange.errors import NotFound

ALIASES = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-4o-mini-transcribe",
)
"""OpenAI's own names, which all mean the configured model."""

_DATED = re.compile(r"(?P<name>.+)-\d{4}-\d{2}-\d{2}")
"""How OpenAI names one of a model's versions."""

_STARTED = int(time.time())


class UnknownModel(NotFound):
    code = "model_not_found"
    param = "model"


class Model(BaseModel):
    id: str = Field(description="What to send as `model`.")
    object: Literal["model"] = Field("model", description="Always `model`.")
    created: int = Field(description="When this process started, in seconds since 1970.")
    owned_by: str = Field(description="Who published it.")


class ModelList(BaseModel):
    object: Literal["list"] = Field("list", description="Always `list`.")
    data: list[Model] = Field(description="The models that can be asked for.")


def model_list(configured: str) -> ModelList:
    """The configured model under its own name, then under those that mean it too."""
    names = dict.fromkeys((configured, *ALIASES))
    return ModelList(data=[listed_model(name, configured) for name in names])


def listed_model(name: str, configured: str) -> Model:
    """Raises UnknownModel for a name that does not mean the configured model."""
    check_model(name, configured)
    owner = configured.split("/", maxsplit=1)[0] if "/" in configured else "rayscribe"
    return Model(id=name, created=_STARTED, owned_by=owner)


def check_model(asked: str, configured: str) -> None:
    """Raises UnknownModel for a name that is neither the configured one nor an alias."""
    dated = _DATED.fullmatch(asked)
    if asked != configured and (dated["name"] if dated else asked) not in ALIASES:
        raise UnknownModel(
            f"The model {asked!r} does not exist here; use {configured!r} or 'whisper-1'."
        )
