"""Requests as an OpenAPI document has them, and as it does not, drawn at random but the same each
time."""

import warnings
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode


def each_drawn(
    operation: Any, mode: GenerationMode, examples: int, send: Callable[[Any], None]
) -> bool:
    """Call `send` with so many of schemathesis' cases of an operation; False where nothing of this
    request can be wrong."""

    @given(data=st.data())
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def fuzz(data: st.DataObject) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                case = data.draw(operation.as_strategy(generation_mode=mode))
            except ValueError:  # of what it drew for a file, Schemathesis makes nothing wrong
                reject()
        send(case)

    try:
        fuzz()
    except Unsatisfiable:
        return False
    return True
