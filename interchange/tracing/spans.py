"""Traces: what the time of one recording went into, across the graph.

Off unless a profile has Serve's `tracing_config`. Serve hands the context on with each call from
one deployment to another, with spans of its own around it; those of ours say what it was for.
Attributes are numbers and words known beforehand: never a name, an address or anything said.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from interchange.errors import RayscribeError

SCOPE = "rayscribe"
_TRACER = trace.get_tracer(SCOPE)

Name = Literal["recording", "load", "window", "diarize", "merge"]


@contextmanager
def span(name: Name, **attributes: bool | float | str) -> Iterator[Span]:
    """Time that goes into a stage of a recording. An error leaves its code, and no sentence."""
    with _TRACER.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as this:
        try:
            yield this
        except Exception as error:
            code = error.code if isinstance(error, RayscribeError) else type(error).__name__
            this.set_status(Status(StatusCode.ERROR, code))
            raise
