"""Whisper's decoder over `State`: a step of all rows, and a pass over many tokens of some.

Every shape follows from the number of rows and, in a pass, of tokens; nothing reads the device. So
both can be captured.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.recognition.attention.silence import Groups
from deployments.recognition.captured.state import Masks, Shape, State
from deployments.recognition.model.linear import Linear, Product
from deployments.recognition.model.weights import AddNorm, DecoderWeights, FeedForward, Norm


class Operations(Protocol):
    """What `kernels` and `plain` both are."""

    def begin(self, state: State, rows: int) -> None: ...
    @property
    def add_norm(self) -> AddNorm: ...
    def multiply(self, x: Tensor, product: Product) -> Tensor: ...
    def widen(self, x: Tensor, layer: FeedForward) -> Tensor: ...
    def add_product(
        self, x: Tensor, found: Tensor, product: Product, norm: Norm
    ) -> tuple[Tensor, Tensor]: ...
    def self_attention(self, state: State, layer: int, projected: Tensor) -> Tensor: ...
    def cross_attention(
        self, state: State, layer: int, queries: Tensor, slots: Tensor
    ) -> Tensor: ...
    def choose(self, logits: Tensor, state: State, masks: Masks) -> None: ...
    def smooth(self, weights: Tensor, owned: Tensor, width: int) -> Tensor: ...


LAYERS_AT_ONCE = 8
"""Decoder layers whose keys and values of a window are made together: a window of large-v3 then
needs 61 MB in between, and not 246."""


class CapturedDecoder:
    """Not for several threads: `state` is changed by what is called."""

    def __init__(
        self, weights: DecoderWeights, masks: Masks, state: State, operations: Operations
    ) -> None:
        self._weights, self._masks = weights, masks
        self.state, self.operations = state, operations

    @staticmethod
    def shape(weights: DecoderWeights, source: int) -> Shape:
        vocabulary, width = weights.tokens.shape
        return Shape(
            len(weights.layers),
            weights.heads,
            width // weights.heads,
            source,
            len(weights.positions),
            vocabulary,
        )

    def load(self, slot: int, output: Tensor, *, silent: bool) -> None:
        """Give a slot the keys and values that cross-attention makes of a window's encoder output
        (positions, width)."""
        for layers, keys, values in self._cross(output):
            self.state.window_keys[layers, slot, :, : len(output)] = keys
            self.state.window_values[layers, slot, :, : len(output)] = values
        self.state.own(slot, len(output), silent=silent)

    def set_silence(self, output: Tensor) -> None:
        """Take the encoder's output (positions, width) for silence throughout."""
        groups = Groups.of(output)
        keys, values = zip(*((k, v) for _, k, v in self._cross(groups.means(output))), strict=True)
        self.state.set_silence(groups, torch.cat(keys), torch.cat(values))

    def _cross(self, output: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Of some layers at a time: keys and values (layers, heads, positions, head size)."""
        shape = self.state.shape
        for first in range(0, shape.layers, LAYERS_AT_ONCE):
            layers = slice(first, min(first + LAYERS_AT_ONCE, shape.layers))
            outputs = slice(2 * shape.width * layers.start, 2 * shape.width * layers.stop)
            projected = _some(self._weights.cross, outputs)(output)
            split = projected.view(len(output), -1, 2, shape.heads, shape.head_size)
            keys, values = split.permute(2, 1, 3, 0, 4)
            yield layers, keys, values

    def step(self, rows: int) -> Tensor:
        """One token on for each of `rows` rows: what the rules say is chosen and noted. Returns the
        logits (rows, vocabulary)."""
        state, do = self.state, self.operations
        do.begin(state, rows)
        slots = state.rows[:rows]
        x = self._embed(state.tokens[slots], state.positions[slots])
        layers = self._weights.layers
        h = layers[0].attention.norm(x)
        for index, layer in enumerate(layers):
            found = do.self_attention(state, index, do.multiply(h, layer.attention.project))
            x, h = do.add_product(x, found, layer.attention.out, layer.cross.norm)
            queries = do.multiply(h, layer.cross.query)[:, None]
            found = do.cross_attention(state, index, queries, slots)[:, 0]
            x, h = do.add_product(x, found, layer.cross.out, layer.feed_forward.norm)
            x, h = self._feed_forward(x, h, index)
        logits = self._weights.vocabulary(h)
        do.choose(logits, state, self._masks)
        return logits

    def read(
        self, slots: Tensor, tokens: Tensor, heads: Sequence[tuple[int, int]] = ()
    ) -> list[Tensor]:
        """Tokens (rows, texts) of rows from their first position on; keys and values are kept.

        Gives the scores of cross-attention (rows, texts, source), before the softmax, of each of
        the `heads` (layer, head), layer by layer; without any, it goes through all layers.
        """
        state, do, shape = self.state, self.operations, self.state.shape
        rows, texts = tokens.shape
        layers = self._weights.layers
        if heads:
            layers = layers[: max(layer for layer, _ in heads) + 1]
        x = self._embed(tokens, torch.arange(texts, device=tokens.device)).flatten(0, 1)
        h = layers[0].attention.norm(x)
        held = slots.clamp(max=state.count - 1)
        scores = []
        for index, layer in enumerate(layers):
            projected = layer.attention.project(h).view(rows, texts, 3, shape.heads, -1)
            queries, keys, values = projected.permute(2, 0, 3, 1, 4)
            state.keys[index, slots, :, :texts] = keys
            state.values[index, slots, :, :texts] = values
            found = F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=1.0)
            found = found.transpose(1, 2).reshape(rows * texts, shape.width)
            x, h = do.add_product(x, found, layer.attention.out, layer.cross.norm)
            queries = layer.cross.query(h)
            for head in [head for at, head in heads if at == index]:
                asking = queries.view(rows, texts, shape.heads, -1)[:, :, head]
                looked = state.window_keys[index, :, head].index_select(0, held)
                scores.append(asking @ looked.transpose(1, 2))
            if heads and index == len(layers) - 1:
                break
            found = do.cross_attention(state, index, queries.view(rows, texts, -1), slots)
            found = found.flatten(0, 1)
            x, h = do.add_product(x, found, layer.cross.out, layer.feed_forward.norm)
            x, h = self._feed_forward(x, h, index)
        return scores

    def _feed_forward(self, x: Tensor, normed: Tensor, index: int) -> tuple[Tensor, Tensor]:
        """A layer's last sums, and these normalised for whoever comes next."""
        layers, do = self._weights.layers, self.operations
        layer = layers[index].feed_forward
        last = index == len(layers) - 1
        behind = self._weights.norm if last else layers[index + 1].attention.norm
        return do.add_product(x, do.widen(normed, layer), layer.narrow, behind)

    def _embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        x = F.embedding(tokens, self._weights.tokens)
        if self._weights.scale != 1.0:
            x = x * self._weights.scale
        return x + F.embedding(positions, self._weights.positions)


def _some(product: Product, outputs: slice) -> Product:
    """A part of the outputs of a product, where its matrix lies as it is."""
    if not isinstance(product, Linear):
        return lambda x: product(x)[..., outputs]
    bias = product.bias
    return Linear(product.weight[outputs], None if bias is None else bias[outputs])
