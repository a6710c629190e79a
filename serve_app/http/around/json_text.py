"""JSON from strangers: bounded before it is parsed, and only what JSON can say again."""

import json
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
MAX_VALUES = 20_000

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_STRUCTURE = re.compile(r"[^\[\]{},]+")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class BadJson(ValueError):
    """The text is JSON, but none that is taken. The message says why."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises BadJson, and ValueError where it is none."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    _check_structure(text)
    value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    if _SURROGATE.search(text):
        _check_characters(value)
    return value


def _check_structure(text: str) -> None:
    # What is left is brackets and commas; parsers recurse at each of the former.
    structure = _NOT_STRUCTURE.sub("", _STRING.sub("", text))
    if len(structure) > MAX_VALUES:
        raise BadJson(f"it has more than {MAX_VALUES} values; send less")
    depth = 0
    for sign in structure:
        depth += (sign in "[{") - (sign in "]}")
        if depth > MAX_DEPTH:
            raise BadJson(f"it is nested more than {MAX_DEPTH} deep; send it flatter")


def _check_characters(value: Any) -> None:
    """Half of a character has no bytes: no file, no database and no answer could hold it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise BadJson(f"it has half of a character ({half}); send whole ones") from error


def _no_number(name: str) -> NoReturn:
    raise BadJson(f"{name} is no number of JSON; leave it out")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BadJson(f"the number {text[:20]} is too large; send a smaller one")
    return number
