"""The real bundled weights, as `make weights` leaves them in the cache."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import av
import jiwer
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from deployments.models import bundled, cache
from deployments.models.ctranslate2 import Array
from tests.support.recordings.speech import SAMPLE, sample_words


def _cached(name: str) -> Path:
    folder = cache.root() / name
    if not folder.is_dir():
        pytest.skip(f"bundled:{name} is not in the cache: run `make weights`")
    return bundled.fetch(name)


@pytest.fixture(scope="module")
def whisper() -> Path:
    return _cached("whisper-base")


def test_names_what_it_has_where_a_name_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"no bundled model `bundled:whisper-huge`.*whisper-base"):
        bundled.fetch("whisper-huge")


def test_every_weight_of_the_model_is_there(whisper: Path) -> None:
    from transformers import WhisperForConditionalGeneration

    model, report = WhisperForConditionalGeneration.from_pretrained(
        whisper, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    assert model.dtype == torch.float32
    tensors = load_file(whisper / "model.safetensors")
    assert sum(tensor.size for tensor in tensors.values()) == 72_593_920  # Whisper base, published
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())


def test_generation_settings_know_every_language_and_task(whisper: Path) -> None:
    settings = json.loads((whisper / "generation_config.json").read_text())
    assert len(settings["lang_to_id"]) == 99
    assert settings["lang_to_id"]["<|en|>"] == 50259
    assert settings["task_to_id"] == {"transcribe": 50359, "translate": 50358}
    assert settings["no_timestamps_token_id"] == 50363
    assert settings["alignment_heads"][0] == [3, 1]


def test_tokenizer_reads_and_writes_timestamps(whisper: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(whisper)
    assert len(tokenizer) == 51865
    assert tokenizer.convert_tokens_to_ids(["<|0.00|>", "<|30.00|>"]) == [50364, 51864]
    ids = tokenizer(" Grüße, world!", add_special_tokens=False).input_ids
    assert tokenizer.decode(ids) == " Grüße, world!"
    decoded = tokenizer.decode([50364, *ids, 50414], decode_with_timestamps=True)
    assert decoded == "<|0.00|> Grüße, world!<|1.00|>"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for each other crawl where tests share their cores with other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_transcribes_a_real_recording(whisper: Path) -> None:
    from transformers import AutoProcessor, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(whisper)
    processor = AutoProcessor.from_pretrained(whisper)
    samples = np.concatenate(list(_decoded(SAMPLE)))
    features = processor.feature_extractor(
        samples, sampling_rate=16_000, return_tensors="pt"
    ).input_features
    with torch.inference_mode():
        tokens = model.generate(features, language="en", task="transcribe", num_beams=1)
    text = processor.batch_decode(tokens, skip_special_tokens=True)[0]
    assert jiwer.wer(_plain(" ".join(sample_words())), _plain(text)) < 0.5


@pytest.mark.filterwarnings(r"ignore:\s*torchcodec is not installed correctly:UserWarning")
def test_diarization_has_both_models() -> None:
    folder = _cached("diarization")
    segmentation = torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert "state_dict" in segmentation
    embedding = torch.load(folder / "campplus_cn_en_common.pt", weights_only=True)
    assert embedding["xvector.dense.linear.weight"].shape[0] == 192


def _decoded(path: Path) -> Iterator[Array]:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                yield part.to_ndarray()[0]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z' ]", "", text.lower())
