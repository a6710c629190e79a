"""The bodies of errors for the OpenAPI document; `errors.py` makes the real ones."""

from typing import Any

from pydantic import BaseModel, Field


class Detail(BaseModel):
    """An error outside /v1."""

    detail: str = Field(description="What was wrong, with what, and what to do.")


class OpenAIErrorBody(BaseModel):
    message: str = Field(description="What was wrong, with what, and what to do.")
    type: str = Field(description="OpenAI's kind of error.")
    param: str | None = Field(description="The option at fault, if one is.")
    code: str | None = Field(description="The error by name, for programs.")


class OpenAIError(BaseModel):
    """An error under /v1."""

    error: OpenAIErrorBody = Field(description="The error.")


def error_responses(
    model: type[BaseModel], descriptions: dict[int, str]
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: each error status with its body and meaning."""
    return {
        status: {"model": model, "description": description}
        for status, description in descriptions.items()
    }
