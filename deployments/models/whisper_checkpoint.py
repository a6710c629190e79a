"""Turn a CTranslate2 Whisper model into a checkpoint folder of `transformers`.

Weights are written as float32: the values are the same, a CPU decodes several times faster
in it than in float16, and a GPU casts while it loads.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from deployments.models.ctranslate2 import Array, Model

_MAX_LENGTH = 448
_TIMESTAMPS = tuple(f"<|{0.02 * step:.2f}|>" for step in range(1501))
_TASKS = ("transcribe", "translate")


def write(model: Model, ct2_config: dict[str, Any], tokenizer: dict[str, Any], to: Path) -> None:
    """Write `to` (a folder that exists) so that `from_pretrained(to)` loads without a hub.

    `ct2_config` is the config.json beside `model.bin`, `tokenizer` its tokenizer.json.
    Raises KeyError where the model is not a multilingual Whisper.
    """
    tensors = dict(_tensors(model.variables))
    tokenizer = _with_timestamps(tokenizer)
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    special = {
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
    }
    files = {
        "config.json": _config(model.variables, tensors) | special,
        "generation_config.json": _generation(ct2_config, ids) | special,
        "preprocessor_config.json": _preprocessor(tensors),
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": _tokenizer_config(ids),
    }
    for name, content in files.items():
        (to / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    save_file(tensors, to / "model.safetensors", metadata={"format": "pt"})


# ------------------------------------------------------------------------------- weights


def _tensors(source: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    encoder, decoder = "model.encoder", "model.decoder"
    yield f"{decoder}.embed_tokens.weight", _float(source["decoder/embeddings/weight"])
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            yield f"{encoder}.{conv}.{part}", _float(source[f"encoder/{conv}/{part}"])
    for stack, target in (("encoder", encoder), ("decoder", decoder)):
        positions = source[f"{stack}/position_encodings/encodings"]
        yield f"{target}.embed_positions.weight", _float(positions)
        yield from _norm(source, f"{stack}/layer_norm", f"{target}.layer_norm")
        for index in range(_layers(source, stack)):
            yield from _layer(source, f"{stack}/layer_{index}", f"{target}.layers.{index}")


def _layer(source: dict[str, Array], at: str, to: str) -> Iterator[tuple[str, Array]]:
    own, cross, ffn = f"{at}/self_attention", f"{at}/attention", f"{at}/ffn"
    yield from _fused(source, f"{own}/linear_0", [f"{to}.self_attn.{p}_proj" for p in "qkv"])
    yield from _fused(source, f"{own}/linear_1", [f"{to}.self_attn.out_proj"])
    yield from _norm(source, f"{own}/layer_norm", f"{to}.self_attn_layer_norm")
    if f"{cross}/linear_0/weight" in source:
        yield from _fused(source, f"{cross}/linear_0", [f"{to}.encoder_attn.q_proj"])
        keys_values = [f"{to}.encoder_attn.{p}_proj" for p in "kv"]
        yield from _fused(source, f"{cross}/linear_1", keys_values)
        yield from _fused(source, f"{cross}/linear_2", [f"{to}.encoder_attn.out_proj"])
        yield from _norm(source, f"{cross}/layer_norm", f"{to}.encoder_attn_layer_norm")
    yield from _fused(source, f"{ffn}/linear_0", [f"{to}.fc1"])
    yield from _fused(source, f"{ffn}/linear_1", [f"{to}.fc2"])
    yield from _norm(source, f"{ffn}/layer_norm", f"{to}.final_layer_norm")


def _fused(source: dict[str, Array], at: str, to: list[str]) -> Iterator[tuple[str, Array]]:
    """Split one linear layer into those that CTranslate2 joined along their outputs."""
    weights = np.split(source[f"{at}/weight"], len(to))
    biases = np.split(source[f"{at}/bias"], len(to))
    for name, weight, bias in zip(to, weights, biases, strict=True):
        yield f"{name}.weight", _float(weight)
        if not name.endswith("k_proj"):  # Whisper's keys have no bias: there it is zero
            yield f"{name}.bias", _float(bias)


def _norm(source: dict[str, Array], at: str, to: str) -> Iterator[tuple[str, Array]]:
    yield f"{to}.weight", _float(source[f"{at}/gamma"])
    yield f"{to}.bias", _float(source[f"{at}/beta"])


def _float(array: Array) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)


def _layers(source: dict[str, Array], stack: str) -> int:
    return len(
        {name.split("/")[1] for name in source if name.startswith(f"{stack}/layer_")}
        - {"layer_norm"}
    )


# --------------------------------------------------------------------------- what is beside them


def _config(source: dict[str, Array], tensors: dict[str, Array]) -> dict[str, Any]:
    vocabulary, width = tensors["model.decoder.embed_tokens.weight"].shape
    config: dict[str, Any] = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "dtype": "float32",
        "vocab_size": vocabulary,
        "d_model": width,
        "num_mel_bins": tensors["model.encoder.conv1.weight"].shape[1],
        "max_source_positions": len(tensors["model.encoder.embed_positions.weight"]),
        "max_target_positions": len(tensors["model.decoder.embed_positions.weight"]),
        "tie_word_embeddings": True,
        "dropout": 0.0,
        "is_encoder_decoder": True,
    }
    for stack in ("encoder", "decoder"):
        config[f"{stack}_layers"] = _layers(source, stack)
        config[f"{stack}_attention_heads"] = int(source[f"{stack}/num_heads"])
        config[f"{stack}_ffn_dim"] = len(tensors[f"model.{stack}.layers.0.fc1.weight"])
    return config


def _generation(ct2_config: dict[str, Any], ids: dict[str, int]) -> dict[str, Any]:
    names = {token_id: name for name, token_id in ids.items()}
    return {
        "alignment_heads": ct2_config["alignment_heads"],
        "suppress_tokens": ct2_config["suppress_ids"],
        "begin_suppress_tokens": ct2_config["suppress_ids_begin"],
        "is_multilingual": True,
        "lang_to_id": {names[token_id]: token_id for token_id in ct2_config["lang_ids"]},
        "task_to_id": {task: ids[f"<|{task}|>"] for task in _TASKS},
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "max_initial_timestamp_index": 50,
        "max_length": _MAX_LENGTH,
        "return_timestamps": False,
    }


def _preprocessor(tensors: dict[str, Array]) -> dict[str, Any]:
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": tensors["model.encoder.conv1.weight"].shape[1],
        "sampling_rate": 16_000,
        "chunk_length": 30,
        "n_fft": 400,
        "hop_length": 160,
        "padding_value": 0.0,
        "padding_side": "right",
        "return_attention_mask": False,
    }


def _with_timestamps(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """Add the tokens that an older tokenizer.json lacks, or names otherwise."""
    added = [dict(token) for token in tokenizer["added_tokens"] if token["special"]]
    for token in added:
        if token["content"] == "<|nocaptions|>":  # its name until 2023
            token["content"] = "<|nospeech|>"
    first = added[-1]["id"] + 1
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
    for token_id, content in enumerate(_TIMESTAMPS, start=first):
        added.append({"id": token_id, "content": content, **plain, "special": False})
    return tokenizer | {"added_tokens": added}


def _tokenizer_config(ids: dict[str, int]) -> dict[str, Any]:
    end, timestamps = "<|endoftext|>", set(_TIMESTAMPS)
    return {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "bos_token": end,
        "eos_token": end,
        "pad_token": end,
        "unk_token": end,
        "additional_special_tokens": [name for name in ids if name not in timestamps],
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "return_attention_mask": False,
        "model_max_length": _MAX_LENGTH,
    }
