"""Whisper's decoder over slots: the start of new rows, a step of all, and their alignment."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.recognition.attention.kernels import Attention
from deployments.recognition.attention.memory import NEVER, Shape
from deployments.recognition.model.linear import Product
from deployments.recognition.model.state import DecoderState
from deployments.recognition.model.weights import DecoderWeights


class Decoder:
    def __init__(self, weights: DecoderWeights, attend: Attention) -> None:
        self.weights = weights
        self._attend = attend
        self._heads = weights.heads
        self._head_size = weights.tokens.shape[1] // weights.heads
        self.layers = len(weights.layers)
        self.dtype = weights.dtype

    def state(self, count: int, source: int) -> DecoderState:
        """Empty slots for `count` rows of up to `source` encoder positions."""
        target = len(self.weights.positions)
        shape = Shape(self.layers, self._heads, self._head_size, source, target)
        return DecoderState(count, shape, self.dtype, self.weights.kept)

    def cross(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """(length, width) of encoder output -> keys, values (layers, heads, length, head size).

        In the type that the encoder multiplies in.
        """
        projected = self.weights.cross(encoded)
        split = projected.view(len(encoded), self.layers, 2, self._heads, self._head_size)
        keys, values = split.permute(2, 1, 3, 0, 4)
        return keys, values

    def prefill(
        self, state: DecoderState, prompts: Mapping[int, Sequence[int]], at: Sequence[int] = (-1,)
    ) -> dict[int, Tensor]:
        """Start rows with their prompts, all of one length, beside others that run on.

        Gives each row's logits (len(at), vocabulary) at some positions of the prompt.
        """
        x = self._pass(state, prompts, keep=True)
        return {row: self._logits(x[i, list(at)]) for i, row in enumerate(prompts)}

    def align(
        self,
        state: DecoderState,
        texts: Mapping[int, Sequence[int]],
        heads: Sequence[tuple[int, int]],
    ) -> dict[int, Tensor]:
        """Where certain heads (layer, head) look while rows are told their text again.

        Gives each row's attention scores (heads, text, positions) before the softmax, over the
        row's own positions. One pass over the known tokens; no keys or values are kept.
        """
        collected: dict[int, list[Tensor]] = {row: [] for row in texts}
        by_layer: dict[int, list[int]] = {}
        for layer, head in heads:
            by_layer.setdefault(layer, []).append(head)

        def collect(index: int, row: int, queries: Tensor) -> None:
            if index in by_layer:
                keys = state.cross.keys(index, row)[by_layer[index]]
                asking = queries[by_layer[index], : len(texts[row])].to(keys.dtype)
                scores = asking @ keys.transpose(1, 2)
                collected[row].append(scores)

        self._pass(state, texts, keep=False, collect=collect, layers=max(by_layer) + 1)
        return {row: torch.cat(scores) for row, scores in collected.items()}

    def _pass(
        self,
        state: DecoderState,
        texts: Mapping[int, Sequence[int]],
        *,
        keep: bool,
        collect: Callable[[int, int, Tensor], None] | None = None,
        layers: int | None = None,
    ) -> Tensor:
        """Many tokens of several rows at once, from the first position on; (rows, longest, width).

        What stands behind the end of a shorter text is without meaning.
        """
        device, longest = state.tokens.device, max(map(len, texts.values()))
        padded = [[*text, *[0] * (longest - len(text))] for text in texts.values()]
        x = self._embed(torch.tensor(padded, device=device), torch.arange(longest, device=device))
        causal = torch.full((longest, longest), NEVER, dtype=x.dtype, device=device).triu(1)
        for index, layer in enumerate(self.weights.layers[:layers]):
            queries, keys, values = self._project(index, x).permute(2, 0, 3, 1, 4)
            if keep:
                for i, (row, text) in enumerate(texts.items()):
                    own = slice(len(text))
                    state.past.load(index, row, keys[i, :, own], values[i, :, own])
            x = x + self._join(layer.attention.out, self._attend(queries, keys, values, causal))
            queries = self._cross_queries(index, x)
            # Each row by itself: its keys and values are read where they lie, at their length.
            contexts = []
            for i, row in enumerate(texts):
                if collect is not None:
                    collect(index, row, queries[i])
                one = slice(row, row + 1)
                contexts.append(state.cross.context(index, queries[i : i + 1], one))
            x = x + self._join(layer.cross.out, torch.cat(contexts))
            x = x + layer.feed_forward(x)
        return x

    def step(self, state: DecoderState, rows: int, first: int = 0) -> Tensor:
        """One token on for `rows` rows from `first` on: the logits (rows, vocabulary) of the next.

        `tokens` at `positions` are taken in. In either type that is chosen for a CPU, a row's
        logits are the same bit for bit whoever its neighbours are and however many threads there
        are, up to `linear.FEW` rows.
        """
        which = slice(first, first + rows)
        positions = state.positions[which]
        x = self._embed(state.tokens[which], positions)[:, None]
        for index, layer in enumerate(self.weights.layers):
            context = state.past.attend(index, self._project(index, x)[:, 0], positions, first)
            x = x + layer.attention.out(context.flatten(1)[:, None])
            context = state.cross.context(index, self._cross_queries(index, x), which)
            x = x + self._join(layer.cross.out, context)
            x = x + layer.feed_forward(x)
        return self._logits(x[:, 0])

    def _embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        x = F.embedding(tokens, self.weights.tokens)
        if self.weights.scale != 1.0:
            x = x * self.weights.scale
        return x + F.embedding(positions, self.weights.positions)

    def _project(self, index: int, x: Tensor) -> Tensor:
        """Queries, keys and values (batch, length, 3, heads, head size)."""
        attention = self.weights.layers[index].attention
        projected = attention.project(attention.norm(x)).to(x.dtype)
        batch, length, _ = projected.shape
        return projected.view(batch, length, 3, self._heads, self._head_size)

    def _cross_queries(self, index: int, x: Tensor) -> Tensor:
        cross = self.weights.layers[index].cross
        queries = cross.query(cross.norm(x)).to(x.dtype)
        batch, length, _ = queries.shape
        return queries.view(batch, length, self._heads, self._head_size).transpose(1, 2)

    def _join(self, out: Product, context: Tensor) -> Tensor:
        return out(context.transpose(1, 2).flatten(2))

    def _logits(self, x: Tensor) -> Tensor:
        return self.weights.vocabulary(self.weights.norm(x))
