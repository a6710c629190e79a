"""CAM++'s frames by products of 16-bit integers, for CPUs that multiply these fastest."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from deployments.compiled.products import Integers
from deployments.diarization.networks.campplus import (
    SEGMENT,
    CamPlusPlus,
    DenseBlock,
    DenseLayer,
    Head,
    ResidualBlock,
    Transit,
)

_EMPTY = torch.empty(0, 0, 0)
_ANY = float(np.finfo(np.float32).min)


class IntegerFrames:
    """As `CamPlusPlus.frames`, by the weights of a network that is folded, in float32."""

    def __init__(self, network: CamPlusPlus) -> None:
        self._head = _IntegerHead(network.head)
        first = network.xvector.get_submodule("tdnn.linear")
        assert isinstance(first, nn.Conv1d)
        # Channels lie behind their bin here, and before it there.
        weight = first.weight.detach()
        shape = len(weight), network.head.conv2.out_channels, -1, weight.shape[2]
        weight = weight.reshape(shape).transpose(1, 2)
        self._entry = Integers(weight.flatten(1), first.bias)
        self._parts = [_of(part) for part in list(network.xvector)[1:-1]]

    def __call__(self, features: Tensor) -> Tensor:
        """(batch, frames, bins), mean removed → (batch, frames / 2, rounded up, channels)."""
        x = F.pad(self._head(features), (0, 0, 2, 2)).unfold(1, 5, 2).flatten(2)
        x = self._entry(x).relu_()
        for part in self._parts:
            x = part(x)
        return x


def _of(part: nn.Module) -> Callable[[Tensor], Tensor]:
    if isinstance(part, DenseBlock):
        return IntegerBlock(part)
    return _IntegerTransit(part) if isinstance(part, Transit) else part


class _IntegerHead:
    """(batch, frames, bins) → (batch, frames, bins / 8 × channels)."""

    def __init__(self, head: Head) -> None:
        self._first = _Convolution(head.conv1)
        self._blocks = [_IntegerResidual(block) for block in (*head.layer1, *head.layer2)]
        self._last = _Convolution(head.conv2)

    def __call__(self, features: Tensor) -> Tensor:
        # Inputs are multiplied in pairs: zeros stand beside them.
        return torch.stack([self._of_one(each) for each in F.pad(features[..., None], (0, 1))])

    def _of_one(self, x: Tensor) -> Tensor:
        x = self._first(x)
        for block in self._blocks:
            x = block(x)
        return self._last(x).flatten(1)


class _IntegerResidual:
    def __init__(self, block: nn.Module) -> None:
        assert isinstance(block, ResidualBlock)
        self._first, self._second = _Convolution(block.conv1), _Convolution(block.conv2)
        self._shortcut: _Convolution | None = None
        if isinstance(block.shortcut, nn.Conv2d):
            self._shortcut = _Convolution(block.shortcut, least=_ANY)

    def __call__(self, x: Tensor) -> Tensor:
        beside = x if self._shortcut is None else self._shortcut(x)
        return self._second(self._first(x), beside)


class _Convolution:
    """(frames, bins, channels) → (frames, bins / stride, channels)."""

    def __init__(self, convolution: nn.Conv2d, *, least: float = 0) -> None:
        # Its compiler is loaded only where it is used.
        from deployments.diarization.compiled.convolution import (  # noqa: PLC0415
            Taps,
            convolve,
        )

        # (outputs, inputs, bins, frames): a frame's bins, each with its inputs, are a row.
        weight = convolution.weight.detach()
        weight = F.pad(weight, (0, 0, 0, 0, 0, weight.shape[1] % 2))
        assert convolution.bias is not None
        self._convolve = convolve
        self._taps = Taps.of(weight.permute(3, 0, 2, 1).flatten(2).numpy())
        self._bias = convolution.bias.detach().numpy()
        self._stride, self._least = convolution.stride[0], np.float32(least)

    def __call__(self, x: Tensor, added: Tensor = _EMPTY) -> Tensor:
        taps = self._taps
        out = x.new_empty(len(x), -(-x.shape[1] // self._stride), len(self._bias))
        self._convolve(
            *(x.numpy(), taps.packed, taps.scales, self._bias, taps.most, added.numpy()),
            *(self._stride, self._least, out.numpy()),
        )
        return out


class IntegerBlock:
    """As `DenseBlock`."""

    def __init__(self, block: DenseBlock) -> None:
        self._layers = [_IntegerLayer(layer) for layer in block.values()]
        self._channels = block.out_channels

    def __call__(self, x: Tensor) -> Tensor:
        found = x.new_empty(*x.shape[:2], self._channels)
        found[..., : x.shape[2]] = x
        for layer in self._layers:
            layer(found)
        return found


class _IntegerLayer:
    """Writes what it makes of the channels before its own behind them."""

    def __init__(self, layer: nn.Module) -> None:
        from deployments.compiled.integers import Weights  # noqa: PLC0415
        from deployments.diarization.compiled.convolution import Taps  # noqa: PLC0415
        from deployments.diarization.compiled.dense import widen  # noqa: PLC0415

        assert isinstance(layer, DenseLayer)
        norm, linear, mask = layer.nonlinear1, layer.linear1, layer.cam_layer
        assert linear.bias is not None
        self._widen = widen
        self._narrow = Weights.of(
            linear.weight.detach()[..., 0].numpy(), linear.bias.detach().numpy()
        )
        self._taps = Taps.of(mask.taps.numpy())
        self._known = linear.in_channels
        self._norm = norm.scale.numpy(), norm.shift.numpy()
        self._dilation = mask.dilation
        self._mask = [
            each.detach().squeeze(-1).numpy()
            for linear in (mask.linear1, mask.linear2)
            for each in linear.parameters()
        ]

    def __call__(self, x: Tensor) -> None:
        narrow, taps = self._narrow, self._taps
        self._widen(
            *(x.numpy(), self._known, *self._norm),
            *(narrow.packed, narrow.scales, narrow.bias, narrow.most),
            *(taps.packed, taps.scales, taps.most),
            *(self._dilation, SEGMENT, *self._mask),
        )


class _IntegerTransit:
    def __init__(self, transit: Transit) -> None:
        self._norm = transit.nonlinear
        self._product = Integers(transit.linear.weight.detach()[..., 0], None)

    def __call__(self, x: Tensor) -> Tensor:
        return self._product(self._norm(x))
