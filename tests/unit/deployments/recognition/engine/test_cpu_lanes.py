"""Where and when layers are encoded, with a model whose layers take no time."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch

from deployments.compiled import shares
from deployments.recognition.engine.cpu_lanes import CpuLanes
from deployments.recognition.model.encoder import Layers
from deployments.recognition.model.whisper import Projected, WhisperModel
from deployments.recognition.window.questions import Piece
from interchange.stages import Float32, Window

LAYERS = 3


class Model:
    """Notes the thread of each layer; `held` keeps the encoder's thread waiting."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.held = threading.Event()
        self.held.set()
        self.error: Exception | None = None

    def positions(self, speech_end_s: float) -> int:
        return round(speech_end_s * 50)

    def encode_trimmed(self, windows: Sequence[tuple[Float32, int]]) -> Layers[list[Projected]]:
        for _ in range(LAYERS):
            yield
            if threading.current_thread() is not threading.main_thread():
                assert self.held.wait(10)
            if self.error is not None:
                raise self.error
            self.threads.append(threading.current_thread().name)
        return cast("list[Projected]", [positions for _, positions in windows])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    yield
    torch.set_num_threads(1)


@pytest.fixture
def model() -> Model:
    return Model()


def lanes(model: Model, threads: int = 2) -> CpuLanes:
    return CpuLanes(cast("WhisperModel", model), silent_suffix=True, threads=threads)


def pieces(seconds: int = 2) -> list[tuple[Window, Piece]]:
    samples = np.zeros(seconds * 16_000, np.int16)
    return [(Window(0, 0, samples, ()), Piece(0, len(samples)))]


def test_what_is_encoded_at_once_is_done(model: Model) -> None:
    future = lanes(model).at_once(pieces())
    assert cast("Any", future.result(0)) == [100]
    assert model.threads == ["MainThread"] * LAYERS


def test_beside_is_another_thread_or_at_once_without_one(model: Model) -> None:
    assert cast("Any", lanes(model).beside(pieces()).result(10)) == [100]
    assert "MainThread" not in model.threads
    assert cast("Any", lanes(model, threads=1).beside(pieces()).result(0)) == [100]
    assert model.threads[LAYERS:] == ["MainThread"] * LAYERS


def test_between_steps_each_call_encodes_a_layer(model: Model) -> None:
    some = lanes(model)
    assert not some.go_on()
    future = some.between_steps(pieces())
    assert not future.cancel()
    assert not some.free_between
    for layers in range(LAYERS + 1):
        assert not future.done()
        assert len(model.threads) == max(0, layers - 1)
        assert some.go_on()
    assert cast("Any", future.result(0)) == [100]
    assert some.free_between
    assert not some.go_on()


def test_the_rest_can_be_handed_over(model: Model) -> None:
    some = lanes(model)
    future = some.between_steps(pieces())
    for _ in range(2):
        some.go_on()
    some.hand_over()
    assert some.free_between
    assert cast("Any", future.result(10)) == [100]
    assert model.threads[0] == "MainThread"
    assert "MainThread" not in model.threads[1:]
    some.hand_over()  # of nothing


def test_what_waits_for_the_thread_can_be_called_off(model: Model) -> None:
    some = lanes(model)
    model.held.clear()
    begun, waiting, last = (some.beside(pieces()) for _ in range(3))
    assert waiting.cancel()
    model.held.set()
    assert cast("Any", last.result(10)) == cast("Any", begun.result(10)) == [100]
    assert len(model.threads) == 2 * LAYERS


def test_the_future_has_what_goes_wrong(model: Model) -> None:
    some = lanes(model)
    model.error = MemoryError("of the layer")
    between = some.between_steps(pieces())
    while some.go_on():
        pass
    for future in (between, some.at_once(pieces()), some.beside(pieces())):
        with pytest.raises(MemoryError, match="of the layer"):
            future.result(10)


def test_decoding_has_all_cores_while_the_encoders_thread_is_idle(model: Model) -> None:
    some = lanes(model, threads=4)
    model.held.clear()
    future = some.beside(pieces())
    some.leave_to_decoding()
    assert torch.get_num_threads() == 2
    model.held.set()
    future.result(10)
    some.leave_to_decoding()
    assert torch.get_num_threads() == 3  # the encoder's two threads last: one of them is its own


def test_torch_has_one_thread_where_compiled_loops_share_their_work(model: Model) -> None:
    some = CpuLanes(cast("WhisperModel", model), silent_suffix=True, threads=4, integers=True)
    some.leave_to_decoding()
    assert (torch.get_num_threads(), shares.allowed()) == (1, 3)
    shares.allow(1)


def test_nothing_goes_on_after_a_stop(model: Model) -> None:
    some = lanes(model)
    some.between_steps(pieces())
    some.stop()
    assert not some.concurrent
    assert not some.go_on()
    assert cast("Any", some.beside(pieces()).result(0)) == [100]
