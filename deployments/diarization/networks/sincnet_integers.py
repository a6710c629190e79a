"""SincNet by products of 16-bit integers, for CPUs that multiply these fastest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from interchange.stages import Float32

_NONE = np.empty((0, 0), np.float32)


class IntegerSincNet:
    """pyannote's module in two steps, so that chunks share the first."""

    def __init__(self, sincnet: Any) -> None:
        # Its compiler is loaded only where it is used.
        from deployments.compiled.integers import Weights  # noqa: PLC0415
        from deployments.diarization.compiled import sincnet as loops  # noqa: PLC0415

        self._loops = loops
        self._norms = [_Norm.of(norm) for norm in sincnet.norm1d]
        filters = sincnet.conv1d[0].filterbank.filters().detach()
        self._span, self._stride = filters.shape[-1], sincnet.stride
        # Inputs are multiplied in pairs.
        filters = F.pad(filters, (0, self._span % 2))
        self._filters = Weights.of(filters[:, 0].numpy(), None)
        self._convolutions = [
            Weights.of(_rows(convolution.weight), convolution.bias.detach().numpy())
            for convolution in sincnet.conv1d[1:]
        ]

    def extremes(self, stretch: Tensor) -> tuple[Tensor, Tensor]:
        """(samples,) → (frames, filters) twice: the greatest and the least of three results of each
        filter."""
        frames = ((len(stretch) - self._span) // self._stride + 1) // self._loops.POOL
        highest, lowest = (torch.empty(frames, self._filters.outputs) for _ in range(2))
        self._pooled(stretch.numpy(), self._stride, self._filters, highest.numpy(), lowest.numpy())
        return highest, lowest

    def features(self, highest: Tensor, lowest: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
        """A chunk's extremes, (frames, filters), with its gain and its (filters,) offset → (frames,
        channels)."""
        first, *norms = self._norms
        x = np.empty(highest.shape, np.float32)
        self._loops.rectify(
            highest.numpy(), lowest.numpy(), np.float32(gain.item()), offset.numpy(), x
        )
        self._loops.normalise(x, first.weight, first.bias, first.eps)
        for weights, norm in zip(self._convolutions, norms, strict=True):
            frames, channels = x.shape
            span = weights.inputs // channels
            out = np.empty(((frames - span + 1) // self._loops.POOL, weights.outputs), np.float32)
            self._pooled(x.ravel(), channels, weights, out, _NONE)
            self._loops.normalise(out, norm.weight, norm.bias, norm.eps)
            x = out
        return torch.from_numpy(x)

    def _pooled(
        self, x: Float32, hop: int, weights: Any, highest: Float32, lowest: Float32
    ) -> None:
        self._loops.convolve_and_pool(
            *(x, hop, weights.inputs, weights.packed, weights.scales, weights.bias),
            *(weights.most, highest, lowest),
        )


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Float32
    bias: Float32
    eps: np.float32

    @classmethod
    def of(cls, norm: nn.InstanceNorm1d) -> "_Norm":
        weight, bias = (each.detach().numpy() for each in (norm.weight, norm.bias))
        return cls(weight, bias, np.float32(norm.eps))


def _rows(weight: Tensor) -> npt.NDArray[np.float32]:
    """(outputs, channels, span) → (outputs, span × channels)."""
    rows: npt.NDArray[np.float32] = weight.detach().transpose(1, 2).flatten(1).numpy()
    return rows
