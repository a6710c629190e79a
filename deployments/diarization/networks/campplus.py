"""CAM++, the speaker embedding network of 3D-Speaker, for inference.

Source: H. Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking", Interspeech 2023. Two parts share the work evenly: a small
convolutional head over time and frequency, which sees 0.1 s around a frame, and a densely
connected time-delay network, each layer of which weighs its output by a mask made from the
mean of the whole input and of the 2 s around a frame.

Modules carry the names of the published checkpoint, whose state dict loads unchanged; `folded`
then merges norms into the products before them. The dense part works on (batch, frames,
channels): its layers are products with few channels each, and what they add to the input of
the next is written beside it instead of being copied.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

SEGMENT = 100
"""Frames (of 20 ms) that the local half of the context is averaged over."""


class _NormRelu(nn.Module):
    """Batch norm and ReLU of (batch, frames, channels)."""

    scale: Tensor
    shift: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(channels)

    def fold(self) -> None:
        norm = self.batchnorm
        assert norm.running_var is not None
        assert norm.running_mean is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        self.register_buffer("scale", scale.detach(), persistent=False)
        shift = norm.bias - norm.running_mean * scale
        self.register_buffer("shift", shift.detach(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.scale).relu_()


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut; `stride` thins frequencies, never time."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, (stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, channels, 1, (stride, 1), bias=False),
                nn.BatchNorm2d(channels),
            )

    def fold(self) -> None:
        self.conv1 = fuse_conv_bn_eval(self.conv1, self.bn1)
        self.conv2 = fuse_conv_bn_eval(self.conv2, self.bn2)
        if isinstance(self.shortcut, nn.Sequential) and len(self.shortcut):
            self.shortcut = fuse_conv_bn_eval(*self.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x).relu_())
        return y.add_(self.shortcut(x)).relu_()


class Head(nn.Module):
    """(batch, frames, bins) → (batch, channels × bins / 8, frames)."""

    def __init__(self, bins: int, channels: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(ResidualBlock(channels, 2), ResidualBlock(channels, 1))
        self.layer2 = nn.Sequential(ResidualBlock(channels, 2), ResidualBlock(channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, (2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.out_channels = channels * (bins // 8)

    def fold(self) -> None:
        self.conv1 = fuse_conv_bn_eval(self.conv1, self.bn1)
        self.conv2 = fuse_conv_bn_eval(self.conv2, self.bn2)
        for block in (*self.layer1, *self.layer2):
            assert isinstance(block, ResidualBlock)
            block.fold()

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2).unsqueeze(1)
        if x.device.type == "cpu":
            # Its convolutions are quicker where channels lie side by side.
            x = x.contiguous(memory_format=torch.channels_last)
        y: Tensor = self.conv1(x)
        y = self.conv2(self.layer2(self.layer1(y.relu_())))
        return y.relu_().flatten(1, 2)


class _TimeDelay(nn.Module):
    """The entry of the dense network; halves the frame rate."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 5, stride=2, padding=2, bias=False)
        self.nonlinear = _NormRelu(outputs)

    def fold(self) -> None:
        self.linear = fuse_conv_bn_eval(self.linear, self.nonlinear.batchnorm)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, frames) → (batch, frames / 2, outputs)."""
        y: Tensor = self.linear(x)
        return y.relu_().transpose(1, 2)


class _ContextMask(nn.Module):
    """A dilated convolution, weighed channel by channel by what the context says."""

    taps: Tensor

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(inputs, inputs // 2, 1)
        self.linear2 = nn.Conv1d(inputs // 2, outputs, 1)
        self.dilation = dilation

    def fold(self) -> None:
        taps = self.linear_local.weight.detach().permute(2, 0, 1).contiguous()
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        frames, dilation = x.shape[1], self.dilation
        before, here, after = self.taps
        y = F.linear(x, here)
        y[:, dilation:] += F.linear(x[:, :-dilation], before)
        y[:, :-dilation] += F.linear(x[:, dilation:], after)
        # One mask a segment, not one a frame: all frames of a segment share their context.
        parts = [part.mean(dim=1) for part in torch.split(x, SEGMENT, dim=1)]
        context = torch.stack(parts, dim=1) + x.mean(dim=1, keepdim=True)
        context = F.relu(F.linear(context, self.linear1.weight[..., 0], self.linear1.bias))
        mask = torch.sigmoid(F.linear(context, self.linear2.weight[..., 0], self.linear2.bias))
        return y.mul_(mask.repeat_interleave(SEGMENT, dim=1)[:, :frames])


class DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int, bottleneck: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _NormRelu(inputs)
        self.linear1 = nn.Conv1d(inputs, bottleneck, 1, bias=False)
        self.nonlinear2 = _NormRelu(bottleneck)
        self.cam_layer = _ContextMask(bottleneck, growth, dilation)

    def fold(self) -> None:
        self.linear1 = fuse_conv_bn_eval(self.linear1, self.nonlinear2.batchnorm)

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(self.nonlinear1(x), self.linear1.weight[..., 0], self.linear1.bias)
        found: Tensor = self.cam_layer(y.relu_())
        return found


class DenseBlock(nn.ModuleDict):
    """Each layer sees the outputs of all layers before it."""

    def __init__(self, layers: int, inputs: int, growth: int, dilation: int) -> None:
        super().__init__(
            {
                f"tdnnd{i + 1}": DenseLayer(inputs + i * growth, growth, 4 * growth, dilation)
                for i in range(layers)
            }
        )
        self.out_channels = inputs + layers * growth
        self._growth = growth

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, known = x.shape
        found = x.new_empty(batch, frames, self.out_channels)
        found[..., :known] = x
        for layer in self.values():
            found[..., known : known + self._growth] = layer(found[..., :known])
            known += self._growth
        return found


class Transit(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.nonlinear = _NormRelu(inputs)
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.nonlinear(x), self.linear.weight[..., 0])


class _Projection(nn.Module):
    """From pooled statistics to the embedding."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(outputs, affine=False)))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.nonlinear(F.linear(x, self.linear.weight[..., 0]))
        return y


class CamPlusPlus(nn.Module):
    """Filterbanks to speaker embeddings, in steps that can be shared between speakers."""

    def __init__(self, bins: int = 80, dimension: int = 192) -> None:
        super().__init__()
        self.dimension = dimension
        self.head = Head(bins)
        self.xvector = nn.Sequential(OrderedDict(tdnn=_TimeDelay(self.head.out_channels, 128)))
        channels = 128
        for i, (layers, dilation) in enumerate([(12, 1), (24, 2), (16, 2)], 1):
            block = DenseBlock(layers, channels, growth=32, dilation=dilation)
            channels = block.out_channels // 2
            self.xvector.add_module(f"block{i}", block)
            self.xvector.add_module(f"transit{i}", Transit(block.out_channels, channels))
        self.xvector.add_module("out_nonlinear", _NormRelu(channels))
        self.xvector.add_module("dense", _Projection(2 * channels, dimension))

    def folded(self, dtype: torch.dtype = torch.float32) -> "CamPlusPlus":
        """Itself, ready for inference: call it once, after the checkpoint was loaded.

        `dtype` is what `frames` multiplies in. What pools and projects them stays in float32: it is
        little work.
        """
        self.eval()
        for module in [*self.modules()]:
            if isinstance(module, Head | _TimeDelay | _ContextMask | DenseLayer | _NormRelu):
                module.fold()
        for part in self._before_pooling():
            part.to(dtype)
        return self

    def _before_pooling(self) -> list[nn.Module]:
        return [self.head, *list(self.xvector)[:-1]]

    def frames(self, features: Tensor) -> Tensor:
        """(batch, frames, bins), mean removed → (batch, frames / 2, rounded up, 512), float32."""
        x = features.to(self.head.conv1.weight.dtype)
        for part in self._before_pooling():
            x = part(x)
        return x.float()

    def embed(self, statistics: Tensor) -> Tensor:
        """(batch, 1024), means and then standard deviations of `frames` → (batch, dimension)."""
        y: Tensor = self.xvector.get_submodule("dense")(statistics)
        return y

    def forward(self, features: Tensor) -> Tensor:
        """(batch, frames, bins) of one speaker each → (batch, dimension)."""
        frames = self.frames(features)
        return self.embed(torch.cat([frames.mean(1), frames.std(1)], dim=1))
