"""A Whisper checkpoint's weights, taken out of its `transformers` modules for our own loop.

Projections that read the same input are fused, queries carry the attention's scale, and the
cross-attention's keys and values of all decoder layers are one projection. With heads of 64
the scale is a power of two, so that nothing is rounded by it.

The matrices may have a shorter type than what goes between them: then inputs are rounded to it
for the product, which itself sums in float32.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from deployments.recognition.model.convolutions import Embed, embedding
from deployments.recognition.model.linear import Linear, Product


@dataclass(frozen=True, slots=True)
class Norm:
    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class AddNorm(Protocol):
    def __call__(
        self, x: Tensor, added: Tensor, norm: Norm, limit: float = ...
    ) -> tuple[Tensor, Tensor]:
        """(…, width) twice -> their sum, kept within ± `limit`, and that normalised."""
        ...


def add_and_norm(
    x: Tensor, added: Tensor, norm: Norm, limit: float = math.inf
) -> tuple[Tensor, Tensor]:
    """See `AddNorm`, by torch's operations."""
    total = x + added
    if limit < math.inf:
        total = total.clamp(-limit, limit)
    return total, norm(total)


@dataclass(frozen=True, slots=True)
class FeedForward:
    norm: Norm
    widen: Product
    narrow: Product
    activation: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        return self.of(self.norm(x))

    def of(self, normed: Tensor) -> Tensor:
        """Of what is normalised already."""
        return self.narrow(self.activation(self.widen(normed)))


@dataclass(frozen=True, slots=True)
class SelfAttentionWeights:
    """`project` gives queries, keys and values beside each other: (…, 3 × width)."""

    norm: Norm
    project: Product
    out: Product


@dataclass(frozen=True, slots=True)
class CrossAttentionWeights:
    norm: Norm
    query: Product
    out: Product


@dataclass(frozen=True, slots=True)
class EncoderLayer:
    attention: SelfAttentionWeights
    feed_forward: FeedForward


@dataclass(frozen=True, slots=True)
class DecoderLayer:
    attention: SelfAttentionWeights
    cross: CrossAttentionWeights
    feed_forward: FeedForward


@dataclass(frozen=True, slots=True)
class EncoderWeights:
    heads: int
    mels: int
    embed: Embed
    positions: Tensor
    layers: tuple[EncoderLayer, ...]
    norm: Norm


@dataclass(frozen=True, slots=True)
class DecoderWeights:
    """`cross` gives (…, layers × 2 × width): keys, then values, of layer after layer. `dtype` is
    the type of the products' results, and what is `kept` of the encoder's output may be shorter."""

    heads: int
    dtype: torch.dtype
    kept: torch.dtype
    tokens: Tensor
    positions: Tensor
    scale: float
    layers: tuple[DecoderLayer, ...]
    cross: Product
    norm: Norm
    vocabulary: Product


def aligned(weights: DecoderWeights, multiple: int = 8) -> DecoderWeights:
    """With rows of zeros behind the vocabulary's matrix, up to a multiple that a GPU multiplies
    fast. The embeddings are the same matrix, and lie in it."""
    vocabulary, count = weights.vocabulary, len(weights.tokens)
    assert isinstance(vocabulary, Linear)
    assert vocabulary.bias is None
    filled = F.pad(vocabulary.weight, (0, 0, 0, -count % multiple))
    tokens = filled[:count] if torch.equal(weights.tokens, vocabulary.weight) else weights.tokens
    return replace(weights, vocabulary=Linear(filled, None), tokens=tokens)


def encoder_weights(model: Any, dtype: torch.dtype) -> EncoderWeights:
    """The matrices as `dtype`, the rest as it is."""
    encoder, config = model.model.encoder, model.config
    heads = config.encoder_attention_heads
    return EncoderWeights(
        heads=heads,
        mels=encoder.conv1.in_channels,
        embed=embedding(encoder.conv1, encoder.conv2, dtype),
        positions=encoder.embed_positions.weight.detach(),
        layers=tuple(
            EncoderLayer(
                _self_attention(layer.self_attn, layer.self_attn_layer_norm, dtype),
                _feed_forward(layer, config.activation_function, dtype),
            )
            for layer in encoder.layers
        ),
        norm=_norm(encoder.layer_norm),
    )


def decoder_weights(model: Any, dtype: torch.dtype) -> DecoderWeights:
    """The matrices as `dtype`, the rest as it is."""
    decoder, config = model.model.decoder, model.config
    crosses = [layer.encoder_attn for layer in decoder.layers]
    return DecoderWeights(
        heads=config.decoder_attention_heads,
        tokens=decoder.embed_tokens.weight.detach(),
        positions=decoder.embed_positions.weight.detach(),
        scale=decoder.embed_scale,
        layers=tuple(
            DecoderLayer(
                _self_attention(layer.self_attn, layer.self_attn_layer_norm, dtype),
                CrossAttentionWeights(
                    norm=_norm(layer.encoder_attn_layer_norm),
                    query=_scaled(layer.encoder_attn).ready(dtype),
                    out=_linear(layer.encoder_attn.out_proj).ready(dtype),
                ),
                _feed_forward(layer, config.activation_function, dtype),
            )
            for layer in decoder.layers
        ),
        cross=_fused([_linear(p) for c in crosses for p in (c.k_proj, c.v_proj)]).ready(dtype),
        dtype=torch.float32 if dtype == torch.int16 else dtype,
        kept=torch.bfloat16 if dtype == torch.int16 else dtype,
        norm=_norm(decoder.layer_norm),
        vocabulary=_linear(model.proj_out).ready(dtype),
    )


def _self_attention(module: Any, norm: nn.LayerNorm, dtype: torch.dtype) -> SelfAttentionWeights:
    keys, values = _linear(module.k_proj), _linear(module.v_proj)
    return SelfAttentionWeights(
        norm=_norm(norm),
        project=_fused([_scaled(module), keys, values]).ready(dtype),
        out=_linear(module.out_proj).ready(dtype),
    )


def _scaled(module: Any) -> Linear:
    query = _linear(module.q_proj)
    assert query.bias is not None  # Whisper's queries have one
    return Linear(query.weight * module.scaling, query.bias * module.scaling)


def _fused(parts: list[Linear]) -> Linear:
    biases = [
        part.bias if part.bias is not None else part.weight.new_zeros(len(part.weight))
        for part in parts
    ]
    return Linear(torch.cat([part.weight for part in parts]), torch.cat(biases))


def _feed_forward(layer: Any, activation: str, dtype: torch.dtype) -> FeedForward:
    return FeedForward(
        _norm(layer.final_layer_norm),
        _linear(layer.fc1).ready(dtype),
        _linear(layer.fc2).ready(dtype),
        F.gelu if activation == "gelu" else layer.activation_fn,
    )


def _linear(module: nn.Linear) -> Linear:
    bias = None if module.bias is None else module.bias.detach()
    return Linear(module.weight.detach(), bias)


def _norm(module: nn.LayerNorm) -> Norm:
    return Norm(module.weight.detach(), module.bias.detach(), module.eps)
