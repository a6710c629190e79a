"""A Whisper checkpoint, ready to be run by the engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deployments.recognition.attention.kernels import attention
from deployments.recognition.attention.silence import Groups
from deployments.recognition.device import DevicePolicy
from deployments.recognition.model.decoder import Decoder
from deployments.recognition.model.encoder import FRAMES_PER_POSITION, PEAK, Encoder, Layers
from deployments.recognition.model.log_mel import LogMel
from deployments.recognition.model.rules import Rules
from deployments.recognition.model.state import DecoderState
from deployments.recognition.model.weights import (
    AddNorm,
    add_and_norm,
    aligned,
    decoder_weights,
    encoder_weights,
)
from deployments.recognition.window.vocabulary import Text, Vocabulary
from interchange.stages import Float32

POSITIONS_PER_SECOND = 50
MARGIN_S = 1.0
"""Seconds behind the speech that are encoded with it where the silent suffix is used."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the decoder reads of a window: the output of the encoder (length, width). `trimmed` if
    silence has to follow."""

    output: Tensor
    trimmed: bool


@dataclass(frozen=True, slots=True)
class Projected(Encoded):
    """And the keys and values (layers, heads, length, head size) that cross-attention makes of
    it."""

    keys: Tensor
    values: Tensor


class WhisperModel:
    """Weights, features and rules on one device. Not for several threads."""

    def __init__(
        self,
        model: Any,
        extractor: Any,
        tokenizer: Any,
        policy: DevicePolicy,
        add_norm: AddNorm = add_and_norm,
    ) -> None:
        model = model.to(policy.device, policy.between).eval()
        attend = attention(policy.attention, policy.threads, integers=policy.dtype == torch.int16)
        self.device, self.policy = policy.device, policy
        self.vocabulary = Vocabulary.of(model)
        self.encoder = Encoder(
            encoder_weights(model, policy.dtype),
            attend,
            grouped=policy.groups_silence,
            add_norm=add_norm,
        )
        weights = decoder_weights(model, policy.dtype)
        if policy.device.type == "cuda":
            weights = aligned(weights)
        self.decoder = Decoder(weights, attend)
        self.rules = Rules(self.vocabulary, policy.device)
        self.log_mel = LogMel(extractor, policy.device)
        self.alignment_heads = _alignment_heads(model)
        self.median_width: int = model.config.median_filter_width
        self.max_tokens: int = model.config.max_target_positions
        self.text = Text(self.vocabulary, tokenizer, self.max_tokens // 2 - 1)

    @classmethod
    def load(
        cls, folder: Path, policy: DevicePolicy, add_norm: AddNorm = add_and_norm
    ) -> "WhisperModel":
        """From the folder of a `transformers` checkpoint."""
        # Seconds to import, and needed in the engine's process only.
        from transformers import (  # noqa: PLC0415
            AutoFeatureExtractor,
            AutoTokenizer,
            WhisperForConditionalGeneration,
        )

        with torch.inference_mode():
            return cls(
                WhisperForConditionalGeneration.from_pretrained(folder, dtype=policy.between),
                AutoFeatureExtractor.from_pretrained(folder),
                AutoTokenizer.from_pretrained(folder),
                policy,
                add_norm,
            )

    def positions(self, speech_end_s: float) -> int:
        """How many encoder positions a window needs whose speech ends there."""
        needed = -int(-(speech_end_s + MARGIN_S) * POSITIONS_PER_SECOND // 1)
        return max(1, min(self.encoder.positions, needed))

    def encode_padded(self, windows: Sequence[Float32]) -> Layers[list[Projected]]:
        features = torch.stack([self.log_mel.padded(samples) for samples in windows])
        outputs = yield from self.encoder.padded(features)
        return [self._projected(output, trimmed=False) for output in outputs]

    def encode_trimmed(self, windows: Sequence[tuple[Float32, int]]) -> Layers[list[Projected]]:
        """Windows with their positions, one by one: neighbours change nothing."""
        encoded = []
        for samples, positions in windows:
            frames = FRAMES_PER_POSITION * positions
            features = self.log_mel.leveled(samples, frames, PEAK)[None]
            output = yield from self.encoder.trimmed(features)
            encoded.append(self._projected(output[0], trimmed=True))
        return encoded

    def _projected(self, output: Tensor, *, trimmed: bool) -> Projected:
        return Projected(output, trimmed, *self.decoder.cross(output))

    def load_slot(self, state: DecoderState, row: int, encoded: Projected) -> None:
        """Give a row the keys and values of its window."""
        if encoded.trimmed and not state.cross.knows_silence:
            output = self.encoder.silent(self.device)
            groups = Groups.of(output)
            state.cross.set_silence(groups, *self.decoder.cross(groups.means(output)))
        state.load(row, encoded.keys, encoded.values, silent=encoded.trimmed)


def _alignment_heads(model: Any) -> tuple[tuple[int, int], ...]:
    """Those of the checkpoint, or as OpenAI does without any: all of the upper half's layers."""
    heads = getattr(model.generation_config, "alignment_heads", None)
    if heads:
        return tuple((layer, head) for layer, head in heads)
    layers, per_layer = model.config.decoder_layers, model.config.decoder_attention_heads
    return tuple((layer, h) for layer in range(layers // 2, layers) for h in range(per_layer))
