"""The bodies of errors for the OpenAPI document; `errors.py` makes the real ones."""

from typing import Any

from pydantic import BaseModel


class Detail(BaseModel):
    """An error outside /v1."""

    detail: str


class OpenAIErrorBody(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    """An error under /v1."""

    error: OpenAIErrorBody


def error_responses(
    model: type[BaseModel], descriptions: dict[int, str]
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: each error status with its body and meaning."""
    return {
        status: {"model": model, "description": description}
        for status, description in descriptions.items()
    }
