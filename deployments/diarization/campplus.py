"""CAM++, the speaker embedding network of 3D-Speaker.

Source: H. Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking", Interspeech 2023. Two parts share the work evenly: a small
convolutional head over time and frequency, which sees 0.1 s around a frame, and a densely
connected time-delay network, each layer of which weighs its output by a mask made from the
mean of the whole input and of the 2 s around a frame.

Modules carry the names of the published checkpoint, whose state dict loads unchanged.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

_SEGMENT = 100
"""Frames (of 20 ms) that the local half of the context is averaged over."""


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU()))


class _ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut; `stride` thins frequencies, never time."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, (stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, channels, 1, (stride, 1), bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class _Head(nn.Module):
    """(batch, bins, frames) → (batch, channels × bins / 8, frames)."""

    def __init__(self, bins: int, channels: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(_ResidualBlock(channels, 2), _ResidualBlock(channels, 1))
        self.layer2 = nn.Sequential(_ResidualBlock(channels, 2), _ResidualBlock(channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, (2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.out_channels = channels * (bins // 8)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x.unsqueeze(1))))
        y = F.relu(self.bn2(self.conv2(self.layer2(self.layer1(y)))))
        return y.flatten(1, 2)


class _TimeDelay(nn.Module):
    """The entry of the dense network; halves the frame rate."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 5, stride=2, padding=2, bias=False)
        self.nonlinear = _norm_relu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.nonlinear(self.linear(x))
        return y


class _ContextMask(nn.Module):
    """A dilated convolution, weighed channel by channel by what the context says."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(inputs, inputs // 2, 1)
        self.linear2 = nn.Conv1d(inputs // 2, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        local = F.avg_pool1d(x, _SEGMENT, _SEGMENT, ceil_mode=True)
        # One mask a segment, not one a frame: all frames of a segment share their context.
        context = F.relu(self.linear1(x.mean(-1, keepdim=True) + local))
        mask = torch.sigmoid(self.linear2(context))
        masked: Tensor = (
            self.linear_local(x) * mask.repeat_interleave(_SEGMENT, -1)[..., : x.shape[-1]]
        )
        return masked


class _DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int, bottleneck: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _norm_relu(inputs)
        self.linear1 = nn.Conv1d(inputs, bottleneck, 1, bias=False)
        self.nonlinear2 = _norm_relu(bottleneck)
        self.cam_layer = _ContextMask(bottleneck, growth, dilation)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))
        return y


class _DenseBlock(nn.ModuleDict):
    """Each layer sees the outputs of all layers before it."""

    def __init__(self, layers: int, inputs: int, growth: int, dilation: int) -> None:
        super().__init__(
            {
                f"tdnnd{i + 1}": _DenseLayer(inputs + i * growth, growth, 4 * growth, dilation)
                for i in range(layers)
            }
        )
        self.out_channels = inputs + layers * growth

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class _Transit(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.nonlinear = _norm_relu(inputs)
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(self.nonlinear(x))
        return y


class _Projection(nn.Module):
    """From pooled statistics to the embedding."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(outputs, affine=False)))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.nonlinear(self.linear(x.unsqueeze(-1)).squeeze(-1))
        return y


class CamPlusPlus(nn.Module):
    """Filterbanks to speaker embeddings, in steps that can be shared between speakers."""

    def __init__(self, bins: int = 80, dimension: int = 192) -> None:
        super().__init__()
        self.dimension = dimension
        self.head = _Head(bins)
        self.xvector = nn.Sequential(OrderedDict(tdnn=_TimeDelay(self.head.out_channels, 128)))
        channels = 128
        for i, (layers, dilation) in enumerate([(12, 1), (24, 2), (16, 2)], 1):
            block = _DenseBlock(layers, channels, growth=32, dilation=dilation)
            channels = block.out_channels // 2
            self.xvector.add_module(f"block{i}", block)
            self.xvector.add_module(f"transit{i}", _Transit(block.out_channels, channels))
        self.xvector.add_module("out_nonlinear", _norm_relu(channels))
        self.xvector.add_module("dense", _Projection(2 * channels, dimension))

    def frames(self, features: Tensor) -> Tensor:
        """(batch, frames, bins), mean removed → (batch, 512, frames / 2, rounded up)."""
        x: Tensor = self.head(features.transpose(1, 2))
        for name, module in self.xvector.named_children():
            if name != "dense":
                x = module(x)
        return x

    def embed(self, statistics: Tensor) -> Tensor:
        """(batch, 1024), means and then standard deviations of `frames` → (batch, dimension)."""
        y: Tensor = self.xvector.get_submodule("dense")(statistics)
        return y

    def forward(self, features: Tensor) -> Tensor:
        """(batch, frames, bins) of one speaker each → (batch, dimension)."""
        frames = self.frames(features)
        return self.embed(torch.cat([frames.mean(-1), frames.std(-1)], dim=1))
