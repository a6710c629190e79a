"""Work is done as it is first, and recorded for the next time."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from deployments.graphs import Graphs


class Recorder:
    """Stands for CUDA: what is recorded is done again, and noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, graphs: Graphs) -> None:
        self.error: Exception | None = None
        self.recorded: list[object] = []
        monkeypatch.setattr(graphs, "_capture", self._capture)

    def _capture(self, work: Callable[[], Any]) -> Callable[[], Any]:
        if self.error is not None:
            raise self.error
        self.recorded.append(work)
        return work


def test_a_size_is_recorded_once_and_what_it_does_is_done_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graphs, done = Graphs(enabled=True), list[str]()
    recorder = Recorder(monkeypatch, graphs)
    for size in ("one", "one", "two", "one"):
        graphs.run(size, lambda size=size: done.append(size))  # type: ignore[misc]
    assert done == ["one", "one", "two", "one"]
    assert len(recorder.recorded) == len(graphs) == 2
    graphs.forget()
    graphs.run("one", lambda: None)
    assert len(recorder.recorded) == 3


def test_nothing_is_recorded_where_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = Graphs(enabled=False)
    recorder = Recorder(monkeypatch, graphs)
    assert [graphs.run("one", lambda: 7) for _ in range(2)] == [7, 7]
    assert not recorder.recorded


def test_what_cannot_be_recorded_runs_as_it_is_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    graphs = Graphs(enabled=True)
    Recorder(monkeypatch, graphs).error = RuntimeError("not permitted when stream is capturing")
    with caplog.at_level(logging.WARNING):
        assert [graphs.run("one", lambda: 7) for _ in range(3)] == [7, 7, 7]
    assert len(caplog.records) == 1


def test_memory_that_runs_out_while_recording_does_not_end_recording(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graphs = Graphs(enabled=True)
    recorder = Recorder(monkeypatch, graphs)
    recorder.error = torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(torch.OutOfMemoryError):
        graphs.run("one", lambda: 7)
    recorder.error = None
    graphs.run("one", lambda: 7)
    assert len(recorder.recorded) == 1
