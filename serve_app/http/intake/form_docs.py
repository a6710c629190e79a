"""The OpenAPI document's part on forms, which are read by hand so that files can stream."""

from typing import Any

from pydantic import BaseModel

from serve_app.http.around.error_docs import OpenAIError, error_responses

_TEXTS = ("text/plain", "application/x-subrip", "text/vtt", "text/event-stream")

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The transcript, as `response_format` and `stream` ask.",
        "content": {name: {"schema": {"type": "string"}} for name in _TEXTS},
    },
    **error_responses(
        OpenAIError,
        {
            400: "The recording cannot be fetched or decoded, an option has a value that it "
            "cannot have, or the form is damaged.",
            401: "The key is missing or wrong.",
            403: "The key lacks the scope `transcribe`.",
            404: "There is no such model.",
            413: "The recording is larger or longer than the limits.",
            415: "The body is not a form.",
            429: "Too much audio waits; `Retry-After` says when to try again.",
            500: "A fault of the service.",
            503: "A stage cannot answer now; `Retry-After` says when to try again.",
            504: "It took longer than a request may here; jobs may take any time.",
        },
    ),
}
"""The answers of the routes that take a recording."""


def form_body(model: type[BaseModel]) -> dict[str, Any]:
    """The `requestBody` of a route that takes such a form and a `file`."""
    schema = whole_schema(model)
    schema["properties"] = {
        "file": {
            "type": "string",
            "format": "binary",
            "description": "The recording, in any container or codec that FFmpeg reads.",
        }
    } | schema["properties"]
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


def whole_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema without references, for a body that FastAPI does not read."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    inlined: dict[str, Any] = _inline(schema, definitions)
    return inlined


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if (reference := schema.get("$ref")) is not None:
            return _inline(definitions[reference.rsplit("/", 1)[1]], definitions)
        return {key: _inline(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inline(value, definitions) for value in schema]
    return schema
