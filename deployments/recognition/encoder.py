"""Whisper's encoder, of the rows that hold speech.

Behind a window's speech Whisper wants silence up to 30 s. That silence is the same for every
window once the features are shifted to one loudness, so its keys and values in each layer are
computed once a model, and a window's own rows attend to their own and to those. What a window
costs is then its own length. The idea approximates: in the padded encoder the silent rows
would attend to the speech too.
"""

from collections.abc import Generator, Iterator
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.recognition.attention import Attention
from deployments.recognition.log_mel import silence
from deployments.recognition.weights import EncoderLayer, EncoderWeights

PEAK = 1.5
"""The maximum that features are shifted to where the silent suffix is used."""

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
    def __init__(self, weights: EncoderWeights, attend: Attention) -> None:
        self._weights = weights
        self._attend = attend
        self.positions = len(weights.positions)
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
            mels = self._weights.conv1.in_channels
            features = torch.full(
                (1, mels, FRAMES_PER_POSITION * self.positions),
                silence(PEAK),
                dtype=self.dtype,
                device=device,
            )
            silence_ = _Silence()
            silence_.output = all_layers(self._run(self._embed(features), None, silence_))[0]
            self._silent = silence_
        return self._silent

    def _embed(self, features: Tensor) -> Tensor:
        x = F.gelu(self._weights.conv1(features))
        x = F.gelu(self._weights.conv2(x)).transpose(1, 2)
        # Laid out anew, or every sum and norm from here on would walk across memory.
        return x.contiguous() + self._weights.positions[: x.shape[1]]

    def _run(
        self, x: Tensor, suffix: "_Silence | None", record: "_Silence | None" = None
    ) -> Layers[Tensor]:
        heads, length = self._weights.heads, x.shape[1]
        for index, layer in enumerate(self._weights.layers):
            yield
            queries, keys, values = _heads(layer, x, heads)
            if record is not None:
                record.layers.append((keys, values))
            if suffix is not None and length < self.positions:
                keys, values = suffix.behind(index, keys, values)
            context = self._attend(queries, keys, values, None)
            x = x + layer.attention.out(context.transpose(1, 2).flatten(2))
            x = x + layer.feed_forward(x)
            if x.dtype == torch.float16:
                limit = torch.finfo(x.dtype).max - 1000
                x = x.clamp(-limit, limit)
        return self._weights.norm(x)


class _Silence:
    """Keys and values (1, heads, positions, head size) of each layer, and the output."""

    def __init__(self) -> None:
        self.layers: list[tuple[Tensor, Tensor]] = []
        self.output: Tensor

    def behind(self, index: int, keys: Tensor, values: Tensor) -> Iterator[Tensor]:
        """A layer's own keys and values, each followed by the silent ones behind them."""
        batch, _, length, _ = keys.shape
        return (
            torch.cat([own, silent[:, :, length:].expand(batch, -1, -1, -1)], dim=2)
            for own, silent in zip((keys, values), self.layers[index], strict=True)
        )


def _heads(layer: EncoderLayer, x: Tensor, heads: int) -> Iterator[Tensor]:
    """Queries, keys and values, each (batch, heads, length, head size)."""
    projected = layer.attention.project(layer.attention.norm(x))
    batch, length, width = projected.shape
    split = projected.view(batch, length, 3, heads, width // 3 // heads)
    return iter(split.permute(2, 0, 3, 1, 4))
