"""Pydantic's errors as sentences for people who have never heard of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

_PLACES = frozenset({"body", "cookie", "header", "path", "query"})
"""Where FastAPI found a parameter: the first part of its location, and no part of its name."""

_LONGEST_VALUE = 80


def wrong(param: str, sentence: str) -> PydanticCustomError:
    """What a validator of a whole model raises, where pydantic does not know the field at fault."""
    # The type and the wording that a ValueError would get: the seed's dialect shows both.
    return PydanticCustomError(
        "value_error", "Value error, {sentence}", {"sentence": sentence, "param": param}
    )


def describe(errors: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """A sentence, and the option at fault, for the first of pydantic's errors."""
    error = errors[0]
    context = error.get("ctx", {})
    param = context.get("param") or _name(error["loc"])
    return _sentence(error, context, param), param


def _name(location: Sequence[str | int]) -> str | None:
    parts = list(location)
    if parts and parts[0] in _PLACES:
        parts = parts[1:]
    return ".".join(part for part in parts if isinstance(part, str)) or None


def _sentence(error: Mapping[str, Any], context: Mapping[str, Any], param: str | None) -> str:
    kind = str(error["type"])
    name = f"'{param}'" if param else "The request body"
    match kind:
        case "value_error" | "assertion_error":
            said = str(error["msg"]).removeprefix("Value error, ")
            return f"{said[:1].upper()}{said[1:].removesuffix('.')}."
        case "missing":
            return f"{name} is missing; send it."
        case "extra_forbidden":
            return f"There is no option {name} here; leave it out."
        case "json_invalid":
            return f"{name} is not valid JSON: {context.get('error', 'it cannot be read')}."
    return f"{name} has to be {_wanted(kind, context)}, not {_value(error['input'])}."


def _wanted(kind: str, context: Mapping[str, Any]) -> str:
    if (bound := _BOUNDS.get(kind)) is not None:
        return bound.format(**context)
    return next((what for start, what in _KINDS.items() if kind.startswith(start)), "another value")


_BOUNDS = {
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "greater_than": "more than {gt:g}",
    "less_than": "less than {lt:g}",
    "string_too_long": "at most {max_length} characters long",
    "string_too_short": "at least {min_length} characters long",
}
_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a number",
    "string": "a text",
    "tuple": "a list",
    "list": "a list",
    "model": "an object",
    "dict": "an object",
    "url": "a URL",
}
"""What a field has to be, by the type of pydantic's error, and by how it begins."""


def _value(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
