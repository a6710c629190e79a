"""Memory that runs out halves the batch, and costs no window."""

import logging
from collections.abc import Callable, Sequence

import pytest
import torch

from deployments.memory import out_of_memory
from deployments.recognition.engine.cpu_batch import Slot
from deployments.recognition.engine.cpu_lanes import CpuLanes
from deployments.recognition.engine.whisper import WhisperEngine
from deployments.recognition.fair_queue import FairQueue, Ticket
from deployments.recognition.model.encoder import Layers
from deployments.recognition.model.whisper import Projected
from deployments.recognition.window.questions import Piece
from interchange.errors import Unavailable
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32, RecognitionOptions, Window
from tests.unit.deployments.recognition.support import Whisper, cpu_engine

CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory")

Full = Callable[[int], WhisperEngine[Slot]]


@pytest.fixture(params=["step", "ask", "load", "encode"])
def full(request: pytest.FixtureRequest, whisper: Whisper, monkeypatch: pytest.MonkeyPatch) -> Full:
    """Makes an engine of four slots whose memory holds so many rows, and fails at a step, at the
    start of a row, when one is loaded, or when its window is encoded."""

    def make(rows: int) -> WhisperEngine[Slot]:
        engine = cpu_engine(whisper.ours, FairQueue(3600), slots=4)
        if request.param == "encode":
            lanes = engine.lanes
            assert isinstance(lanes, CpuLanes)
            encode = lanes._encode

            def encoded(pieces: Sequence[tuple[Window, Piece]]) -> Layers[list[Projected]]:
                if len(engine.under_way) >= rows:  # this one is not counted yet
                    raise CUDA
                return (yield from encode(pieces))

            monkeypatch.setattr(lanes, "_encode", encoded)
            return engine
        batch = engine.batch
        method = getattr(batch, request.param)

        def guarded(*args: object, **options: object) -> object:
            if len(batch) > rows:
                raise CUDA
            return method(*args, **options)

        monkeypatch.setattr(batch, request.param, guarded)
        return engine

    return make


def put(engine: WhisperEngine[Slot], sample: Float32, count: int) -> list[Ticket]:
    """Windows of 5 s each of one request."""
    length = 5 * SAMPLE_RATE
    return [
        engine.queue.put(
            Window(index, 0, as_int16(sample[7 * SAMPLE_RATE :][:length]), ((0, length),)),
            RecognitionOptions("r", language="en"),
        )
        for index in range(count)
    ]


def run(engine: WhisperEngine[Slot], tickets: list[Ticket]) -> None:
    for _ in range(2000):
        if all(ticket.future.done() for ticket in tickets):
            return
        engine.turn()
    raise AssertionError("the engine does not come to an end")


def test_half_the_batch_goes_on_and_every_window_is_answered(
    full: Full, sample: Float32, caplog: pytest.LogCaptureFixture
) -> None:
    engine = full(2)
    tickets = put(engine, sample, 6)
    with caplog.at_level(logging.WARNING):
        run(engine, tickets)
    results = [ticket.future.result() for ticket in tickets]
    assert [result.index for result in results] == list(range(6))
    assert all(result.failed is None and result.segments for result in results)
    assert 1 <= engine.capacity <= 2
    assert "do not fit into memory" in caplog.text
    warnings = len(caplog.records)
    run(engine, put(engine, sample, 4))
    assert len(caplog.records) == warnings, "remembered: it does not happen again"


def test_a_window_that_does_not_fit_alone_fails_alone(full: Full, sample: Float32) -> None:
    engine = full(0)
    tickets = put(engine, sample, 2)
    run(engine, tickets)
    for ticket in tickets:
        assert "out of memory" in (ticket.future.result().failed or "")
    assert len(engine.batch) == 0


def test_an_engine_that_cannot_do_a_single_window_does_not_start(full: Full) -> None:
    with pytest.raises(Unavailable, match="out of memory"):
        full(0).warm_up()


def test_another_error_is_not_taken_for_it(
    whisper: Whisper, sample: Float32, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = cpu_engine(whisper.ours, FairQueue(3600), slots=4)

    def broken(*, urgent: bool) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(engine.batch, "step", broken)
    put(engine, sample, 2)
    with pytest.raises(RuntimeError, match="illegal"):
        engine.turn()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CUDA, True),
        (CPU, True),
        (MemoryError(), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("not enough memory"), False),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"), True),
    ],
)
def test_what_counts_as_out_of_memory(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected
