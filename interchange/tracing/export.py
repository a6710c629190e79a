"""Where traces go: to a collector, by OTLP."""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from interchange.tracing.spans import SCOPE

_SAID = ("exception.message", "exception.stacktrace")
"""Sentences about recordings may stand there."""


def to_collector() -> list[SpanProcessor]:
    """For `exporter_import_path` of Serve's `tracing_config`: to the collector that the variable
    OTEL_EXPORTER_OTLP_ENDPOINT names, http://localhost:4318 without it."""
    return [BatchSpanProcessor(Discreet(OTLPSpanExporter()))]


class Discreet(SpanExporter):
    """Hands spans on without the sentences of errors that Serve keeps in its own."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_discreet(each) for each in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    ours = span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_without_sentences(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        # A description is a sentence, but for ours.
        status=span.status if ours else Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _without_sentences(event: Event) -> Event:
    kept = {key: value for key, value in (event.attributes or {}).items() if key not in _SAID}
    return Event(event.name, kept, event.timestamp)
