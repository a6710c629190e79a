"""LSTMs in 16-bit integers, beside torch's."""

import pytest
import torch
from torch import Tensor, nn

from deployments.diarization.networks.lstm import layers
from tests.support.processor import needs_integers, with_fewer_too

pytestmark = [with_fewer_too, needs_integers]


def lstm(inputs: int = 6, size: int = 16, **more: bool | int) -> nn.LSTM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.LSTM(inputs, size, batch_first=True, **more).eval()
        for each in made.parameters():
            nn.init.normal_(each, 0, 0.3)
    return made


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("rows", "frames"), [(1, 1), (1, 40), (5, 2), (6, 40), (13, 9)])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("number", "size"), [(1, 16), (3, 48)])
def test_it_is_torchs(
    rows: int, frames: int, number: int, size: int, *, bidirectional: bool
) -> None:
    made = lstm(size=size, num_layers=number, bidirectional=bidirectional)
    (found,), x = layers(made, integers=True), drawn(rows, frames, 6)
    with torch.inference_mode():
        exact = made(x)[0]
        assert torch.norm(found(x) - exact) < 0.01 * torch.norm(exact)


def test_each_of_a_list_is_a_layer() -> None:
    several = nn.ModuleList([lstm(), lstm(16)])
    exact, found = (layers(several, integers=integers) for integers in (False, True))
    x = drawn(2, 30, 6)
    with torch.inference_mode():
        for one, other in zip(exact, found, strict=True):
            torch.testing.assert_close(other(x), one(x), atol=5e-3, rtol=0)
            x = one(x)
        assert torch.equal(x, several[1](several[0](drawn(2, 30, 6))[0])[0])


def test_rows_do_not_change_each_other() -> None:
    (found,), x = layers(lstm(bidirectional=True), integers=True), drawn(9, 20, 6)
    with torch.inference_mode():
        together = found(x)
        for row in range(len(x)):
            assert torch.equal(found(x[row : row + 1])[0], together[row])


@pytest.mark.parametrize(
    "made",
    [
        nn.LSTM(6, 16),
        nn.LSTM(6, 16, batch_first=True, bias=False),
        nn.LSTM(6, 16, batch_first=True, proj_size=4),
        nn.LSTM(6, 8, batch_first=True),
        nn.LSTM(6, 528, batch_first=True),
    ],
)
def test_what_is_not_built_is_refused(made: nn.LSTM) -> None:
    with pytest.raises(ValueError, match="16-bit integers are not built for LSTM"):
        layers(made, integers=True)
