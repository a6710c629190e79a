"""Models of published shapes with random weights: as fast as the real ones, and no download."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configs.settings import RecognitionSettings
from deployments.recognition.build import operations
from deployments.recognition.device import DevicePolicy
from deployments.recognition.model.whisper import WhisperModel


@dataclass(frozen=True, slots=True)
class ModelShape:
    width: int
    layers: int
    decoder_layers: int
    heads: int
    alignment: tuple[tuple[int, int], ...]
    mels: int = 128


SHAPES = {
    "large-v3": ModelShape(
        *(1280, 32, 32, 20),
        alignment=(
            *((7, 0), (10, 17), (12, 18), (13, 12), (16, 1)),
            *((17, 14), (19, 11), (21, 4), (24, 1), (25, 6)),
        ),
    ),
    "turbo": ModelShape(
        *(1280, 32, 4, 20), alignment=((2, 4), (2, 11), (3, 3), (3, 6), (3, 11), (3, 14))
    ),
    "tiny": ModelShape(64, 2, 2, 2, alignment=((1, 0), (1, 1))),
}


def reference(
    shape: ModelShape, folder: Path, device: torch.device, dtype: torch.dtype
) -> tuple[Any, Any, Any]:
    """A model of transformers', its feature extractor and its tokenizer; `folder` has those of
    Whisper base."""
    from transformers import (  # noqa: PLC0415
        AutoTokenizer,
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    config = WhisperConfig.from_pretrained(folder)
    config.d_model, config.num_mel_bins = shape.width, shape.mels
    config.encoder_layers = config.num_hidden_layers = shape.layers
    config.decoder_layers = shape.decoder_layers
    config.encoder_attention_heads = config.decoder_attention_heads = shape.heads
    config.encoder_ffn_dim = config.decoder_ffn_dim = 4 * shape.width
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    torch.manual_seed(0)
    try:
        with torch.device(device):
            model = WhisperForConditionalGeneration(config).eval()
    finally:
        torch.set_default_dtype(before)
    generation = GenerationConfig.from_pretrained(folder)
    generation.alignment_heads = [list(head) for head in shape.alignment]
    model.generation_config = generation
    extractor = WhisperFeatureExtractor(feature_size=shape.mels)
    return model, extractor, AutoTokenizer.from_pretrained(folder)


def policy(device: torch.device) -> DevicePolicy:
    """The captured way: that of a GPU, or the same on a CPU to try it."""
    if device.type == "cuda":
        return DevicePolicy.choose(RecognitionSettings(device="cuda", attention="sdpa"))
    return DevicePolicy(device, torch.float32, "sdpa", "to try the check", way="captured")


def captured_model(shape: ModelShape, folder: Path, device: torch.device) -> WhisperModel:
    chosen = policy(device)
    model, extractor, tokenizer = reference(shape, folder, device, chosen.between)
    with torch.inference_mode():
        return WhisperModel(model, extractor, tokenizer, chosen, operations(chosen).add_norm)
