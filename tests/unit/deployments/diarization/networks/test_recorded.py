"""What is recorded for a few sizes gives what the network gives, for batches of any."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from deployments.diarization.networks.recorded import STEP, Recorded
from deployments.graphs import Graphs


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was recorded. As CUDA has it, a recording writes to the same memory again and again."""
    made: list[object] = []

    def capture(self: Graphs, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        output = work()
        made.append(work)
        return lambda: output.copy_(work())

    monkeypatch.setattr(Graphs, "_capture", capture)
    return made


def network(batch: Tensor) -> Tensor:
    return batch.cumsum(dim=1) * 2


def batches() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 5, generator=generator) for n in (1, STEP, STEP + 1, 3, 2 * STEP, 7)]


def test_batches_of_any_size_get_what_the_network_gives(recorded: list[object]) -> None:
    runs = Recorded(network, enabled=True)
    found = [(batch, runs(batch)) for batch in batches() for _ in range(2)]
    for batch, result in found:  # none of them was written over by a later one
        assert torch.equal(result, network(batch))
    assert len(recorded) == 2


def test_threads_do_not_get_each_others(recorded: list[object]) -> None:
    runs = Recorded(network, enabled=True)
    some = batches() * 20

    def run(batch: Tensor) -> Tensor:
        with torch.inference_mode():
            return runs(batch)

    with ThreadPoolExecutor(4) as pool:
        for batch, result in zip(some, pool.map(run, some), strict=True):
            assert torch.equal(result, network(batch))


def test_nothing_is_recorded_where_that_is_off(recorded: list[object]) -> None:
    runs = Recorded(network, enabled=False)
    for batch in batches():
        assert torch.equal(runs(batch), network(batch))
    assert not recorded
