from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from interchange.errors import UndecodableRecording
from interchange.tracing import spans
from interchange.tracing.export import Discreet, to_collector
from interchange.tracing.spans import SCOPE, span


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Discreet(exporter)))
    monkeypatch.setattr(spans, "_TRACER", provider.get_tracer(SCOPE))
    yield exporter
    provider.shutdown()


def test_spans_lie_within_each_other_and_keep_their_figures(
    exporter: InMemorySpanExporter,
) -> None:
    with span("recording", priority="bulk"), span("window", index=3, audio_s=27.5):
        pass
    window, recording = exporter.get_finished_spans()
    assert recording.context is not None
    assert window.parent is not None
    assert window.parent.span_id == recording.context.span_id
    assert dict(window.attributes or {}) == {"index": 3, "audio_s": 27.5}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UndecodableRecording("secret.wav is none"), "undecodable_recording"),
        (KeyError("secret"), "KeyError"),
    ],
)
def test_an_error_leaves_its_code_and_no_sentence(
    exporter: InMemorySpanExporter, error: Exception, code: str
) -> None:
    with pytest.raises(type(error)), span("load"):
        raise error
    (load,) = exporter.get_finished_spans()
    assert load.status.status_code is StatusCode.ERROR
    assert code in (load.status.description or "")
    assert "secret" not in load.to_json()


def test_the_sentences_in_serves_own_spans_stay_here(exporter: InMemorySpanExporter) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Discreet(exporter)))
    with provider.get_tracer("ray.serve").start_as_current_span("route_to_replica") as this:
        this.record_exception(ValueError("secret"))
        this.set_status(Status(StatusCode.ERROR, "secret"))
    (route,) = exporter.get_finished_spans()
    assert "secret" not in route.to_json()
    (event,) = route.events
    assert (event.attributes or {})["exception.type"] == "ValueError"
    assert not route.status.is_ok


def test_without_a_profile_that_asks_for_it_nothing_is_recorded() -> None:
    with span("recording") as this:
        assert not this.is_recording()


def test_the_exporter_is_what_serve_takes() -> None:
    (processor,) = to_collector()
    assert isinstance(processor, BatchSpanProcessor)
    processor.shutdown()  # type: ignore[no-untyped-call]
