"""A captured step is the step itself, in fewer sizes."""

import logging

import pytest
import torch
from torch import Tensor

from deployments.recognition.engine.batch import Batch
from deployments.recognition.engine.capture import CapturedStep, Compiled, Replay, Step, captured
from deployments.recognition.model.encoder import all_layers
from interchange.stages import SAMPLE_RATE, Float32
from tests.unit.deployments.recognition import support
from tests.unit.deployments.recognition.support import Whisper, decode, noise

CPU = torch.device("cpu")
Size = tuple[int, int, int]


class Recorder:
    """Stands for CUDA graphs: a recording runs the step again, and notes that it was made."""

    def __init__(self) -> None:
        self.sizes: list[Size] = []

    def __call__(self, step: Step, rows: int, length: int, span: int) -> Replay:
        self.sizes.append((rows, length, span))
        return lambda: step(rows, length, span)


def numbered(rows: int, length: int, span: int) -> Tensor:
    return torch.arange(rows)[:, None].float()


def test_sizes_are_rounded_up_and_recorded_once() -> None:
    record = Recorder()
    step = CapturedStep(numbered, record, capacity=12, target=448, source=1500)
    for rows, length, span in [
        (1, 5, 96),
        (1, 64, 250),
        (3, 65, 251),
        (4, 100, 400),
        (9, 448, 1500),
    ]:
        assert step(rows, length, span)[:, 0].tolist() == list(range(rows))
    assert record.sizes == [(1, 64, 250), (4, 128, 500), (12, 448, 1500)]


def test_what_cannot_be_recorded_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[Size] = []

    def refuse(step: Step, *size: int) -> Replay:
        tries.append((size[0], size[1], size[2]))
        raise RuntimeError("operation not permitted when stream is capturing")

    step = CapturedStep(numbered, refuse, capacity=8, target=448, source=1500)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert step(3, 10, 100)[:, 0].tolist() == [0, 1, 2]
    assert len(tries) == 1
    assert len(caplog.records) == 1


def test_memory_that_runs_out_in_a_recording_is_the_engines_to_handle() -> None:
    def full(step: Step, *size: int) -> Replay:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    step = CapturedStep(numbered, full, capacity=8, target=448, source=1500)
    for _ in range(2):
        with pytest.raises(torch.OutOfMemoryError):
            step(1, 10, 100)


def test_which_way_is_chosen() -> None:
    bounds = {"capacity": 1, "target": 448, "source": 1500}
    assert captured(numbered, "auto", CPU, **bounds) is numbered
    assert captured(numbered, "off", torch.device("cuda"), **bounds) is numbered
    assert isinstance(captured(numbered, "auto", torch.device("cuda"), **bounds), CapturedStep)
    assert isinstance(captured(numbered, "compile", CPU, **bounds), CapturedStep)
    with pytest.raises(ValueError, match="cuda_graph"):
        captured(numbered, "cuda_graph", CPU, **bounds)


@pytest.mark.parametrize(
    "record", [Recorder(), Compiled(backend="eager")], ids=["graph", "compile"]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.compile's own making
def test_the_same_tokens_with_more_rows_than_are_in_use(
    whisper: Whisper, sample: Float32, record: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come, leave and move while the step is made of three sizes of more rows."""
    windows = [
        sample[start * SAMPLE_RATE :][: seconds * SAMPLE_RATE]
        for start, seconds in [(7, 4), (10, 9), (12, 2), (15, 6), (20, 3)]
    ] + [noise(2.0)]
    with torch.inference_mode():
        encoded = {
            str(i): all_layers(whisper.ours.encode_padded([w]))[0] for i, w in enumerate(windows)
        }
    eager = decode(whisper.ours, encoded, capacity=3)

    class Captured(Batch):
        def __init__(self, model: object, capacity: int) -> None:
            super().__init__(whisper.ours, capacity)
            self._step = CapturedStep(
                self._masked_logits, record, capacity=capacity, target=448, source=1500
            )

    monkeypatch.setattr(support, "Batch", Captured)
    recorded = decode(whisper.ours, encoded, capacity=3)
    assert {k: v.tokens for k, v in recorded.items()} == {k: v.tokens for k, v in eager.items()}
