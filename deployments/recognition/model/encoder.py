"""Whisper's encoder, of the rows that hold speech.

Behind a window's speech Whisper wants silence up to 30 s. That silence is the same for every
window once the features are shifted to one loudness, so its keys and values in each layer are
computed once a model, and a window's own rows attend to their own and to those. What a window
costs is then its own length. The idea approximates: in the padded encoder the silent rows
would attend to the speech too.
"""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.recognition.attention.kernels import Attention
from deployments.recognition.attention.silence import Groups
from deployments.recognition.model.log_mel import silence
from deployments.recognition.model.weights import (
    AddNorm,
    EncoderLayer,
    EncoderWeights,
    add_and_norm,
)

PEAK = 1.3
"""The maximum that features are shifted to where the silent suffix is used: the median of what they
have as speech is recorded. With 1.0 and with 1.7 there are more errors."""

FRAMES_PER_POSITION = 2

T = TypeVar("T")
Layers = Generator[None, None, T]
"""Work that pauses between the encoder's layers, so that whoever does it can look around."""


def all_layers(layers: Layers[T]) -> T:
    """Do all of the work, and give what it comes to."""
    while True:
        try:
            next(layers)
        except StopIteration as done:
            result: T = done.value
            return result


class Encoder:
    """`grouped` reads silence in groups (`silence`). That takes a mask, and FlashAttention none."""

    def __init__(
        self,
        weights: EncoderWeights,
        attend: Attention,
        *,
        grouped: bool,
        add_norm: AddNorm = add_and_norm,
    ) -> None:
        self._weights, self._add_norm = weights, add_norm
        self._attend = attend
        self._grouped = grouped
        self.positions, self.width = weights.positions.shape
        self.dtype = weights.positions.dtype
        self._silent: _Silence | None = None

    def padded(self, features: Tensor) -> Layers[Tensor]:
        """(batch, mels, 2 × positions) of whole windows -> (batch, positions, width)."""
        return (yield from self._run(self._embed(features.to(self.dtype)), None))

    def trimmed(self, features: Tensor) -> Layers[Tensor]:
        """(batch, mels, 2 × length) of windows cut behind their speech -> (batch, length, width).

        The features' maximum is PEAK. Every window of a batch has the same length; a shorter
        one is filled with silence.
        """
        length = features.shape[-1] // FRAMES_PER_POSITION
        # The convolutions look at one position beyond: it is silent, and not their zero padding.
        context = min(FRAMES_PER_POSITION, FRAMES_PER_POSITION * (self.positions - length))
        features = F.pad(features.to(self.dtype), (0, context), value=silence(PEAK))
        silent = self._silence(features.device)
        return (yield from self._run(self._embed(features)[:, :length], silent))

    def silent(self, device: torch.device) -> Tensor:
        """The output (positions, width) for a window that is silent throughout."""
        return self._silence(device).output

    def _silence(self, device: torch.device) -> "_Silence":
        if self._silent is None:
            features = torch.full(
                (1, self._weights.mels, FRAMES_PER_POSITION * self.positions),
                silence(PEAK),
                dtype=self.dtype,
                device=device,
            )
            layers: list[_SilentLayer] = []
            output = all_layers(self._run(self._embed(features), None, layers))[0]
            self._silent = _Silence(layers, output)
        return self._silent

    def _embed(self, features: Tensor) -> Tensor:
        x = self._weights.embed(features)
        return x + self._weights.positions[: x.shape[1]]

    def _run(
        self, x: Tensor, suffix: "_Silence | None", record: "list[_SilentLayer] | None" = None
    ) -> Layers[Tensor]:
        heads, length = self._weights.heads, x.shape[1]
        layers, norm = self._weights.layers, self._weights.norm
        limit = torch.finfo(x.dtype).max - 1000 if x.dtype == torch.float16 else math.inf
        h = layers[0].attention.norm(x)
        for index, layer in enumerate(layers):
            yield
            queries, keys, values = _heads(layer, h, heads)
            if record is not None:
                record.append(_SilentLayer.of(keys, values, grouped=self._grouped))
            mask = None
            if suffix is not None and length < self.positions:
                keys, values, mask = suffix.layers[index].behind(keys, values)
            context = self._attend(queries, keys, values, mask)
            found = layer.attention.out(context.transpose(1, 2).flatten(2))
            x, h = self._add_norm(x, found, layer.feed_forward.norm)
            following = layers[index + 1].attention.norm if index + 1 < len(layers) else norm
            x, h = self._add_norm(x, layer.feed_forward.of(h), following, limit)
        return h


@dataclass(frozen=True, slots=True)
class _SilentLayer:
    """Keys and values (1, heads, positions, head size) of silence in one layer; if these are in
    groups, the means of each."""

    keys: Tensor
    values: Tensor
    groups: Groups | None

    @classmethod
    def of(cls, keys: Tensor, values: Tensor, *, grouped: bool) -> "_SilentLayer":
        if not grouped:
            return cls(keys.contiguous(), values.contiguous(), None)
        groups = Groups.of(keys[0].transpose(0, 1).flatten(1))
        return cls(groups.means(keys), groups.means(values), groups)

    def behind(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """A window's own keys and values, each followed by the silent ones behind them, and what
        is added to the scores of these."""
        batch, _, length, _ = keys.shape
        first, mask = length, None
        if self.groups is not None:
            mask = self.groups.seen(length).to(keys.dtype)
            first = self.groups.count - len(mask)
        keys, values = (
            torch.cat([own, silent[:, :, first:].expand(batch, -1, -1, -1)], dim=2)
            for own, silent in ((keys, self.keys), (values, self.values))
        )
        return keys, values, mask


@dataclass(frozen=True, slots=True)
class _Silence:
    """What a window that is silent throughout leaves in each layer, and its output
    (positions, width)."""

    layers: list[_SilentLayer]
    output: Tensor


def _heads(layer: EncoderLayer, normed: Tensor, heads: int) -> Iterator[Tensor]:
    """Queries, keys and values, each (batch, heads, length, head size)."""
    projected = layer.attention.project(normed)
    batch, length, width = projected.shape
    split = projected.view(batch, length, 3, heads, width // 3 // heads)
    return iter(split.permute(2, 0, 3, 1, 4))
