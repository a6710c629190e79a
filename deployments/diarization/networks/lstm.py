"""LSTMs by torch, or by products of 16-bit integers for CPUs that multiply these fastest."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from deployments.compiled.products import Integers

_MOST = 512
"""Channels that a step sums up as integers (`integers.DEPTH`, whose module loads a compiler)."""
Layer = Callable[[Tensor], Tensor]
"""(batch, frames, channels) → (batch, frames, channels), float32."""


def layers(lstm: nn.Module, *, integers: bool) -> list[Layer]:
    """Of an LSTM, or of several in a list, without their last states."""
    each = [one for one in lstm.modules() if isinstance(one, nn.LSTM)]
    return [IntegerLSTM(one) if integers else _results(one) for one in each]


def _results(lstm: nn.LSTM) -> Layer:
    return lambda x: lstm(x)[0]


class IntegerLSTM:
    def __init__(self, lstm: nn.LSTM) -> None:
        """Raises ValueError for what is not built here."""
        built = lstm.batch_first and lstm.bias and not lstm.proj_size
        if not built or lstm.hidden_size % 16 or lstm.hidden_size > _MOST:
            raise ValueError(f"Steps in 16-bit integers are not built for {lstm}")
        self._layers = [_Layer(lstm, number) for number in range(lstm.num_layers)]

    def __call__(self, x: Tensor) -> Tensor:
        for layer in self._layers:
            x = layer(x)
        return x


class _Layer:
    def __init__(self, lstm: nn.LSTM, number: int) -> None:
        # Its compiler is loaded only where it is used.
        from deployments.compiled.integers import Weights  # noqa: PLC0415
        from deployments.diarization.compiled.lstm import recur  # noqa: PLC0415

        self._recur, self._size = recur, lstm.hidden_size
        ways = ("", "_reverse") if lstm.bidirectional else ("",)

        def each(name: str) -> list[Tensor]:
            return [getattr(lstm, f"{name}_l{number}{way}").detach() for way in ways]

        biases = torch.cat(each("bias_ih")) + torch.cat(each("bias_hh"))
        self._inputs = Integers(torch.cat(each("weight_ih")), biases)
        self._steps = [Weights.of(weight.numpy(), None) for weight in each("weight_hh")]

    def __call__(self, x: Tensor) -> Tensor:
        inputs = self._inputs(x).chunk(len(self._steps), dim=-1)
        out = x.new_empty(*x.shape[:2], len(self._steps) * self._size)
        for way, steps in enumerate(self._steps):
            self._recur(
                *(inputs[way].numpy(), steps.packed, steps.scales, steps.most),
                *(way == 1, way * self._size, out.numpy()),
            )
        return out
