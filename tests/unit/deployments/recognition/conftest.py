from collections.abc import Iterator

import pytest
import torch

from deployments.models import cache
from deployments.models.resolve import resolve
from deployments.recognition.device import DevicePolicy
from deployments.recognition.model.whisper import WhisperModel
from interchange.stages import Float32
from tests.support.speech import SAMPLE
from tests.unit.deployments.recognition.support import Whisper, audio


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other crawl where tests share their cores with other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def whisper(one_thread: None) -> Whisper:
    """The bundled model, of which both sides share the weights."""
    if not (cache.root() / "whisper-base").is_dir():
        pytest.skip("bundled:whisper-base is not in the cache: run `make weights`")
    from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

    folder = resolve("bundled:whisper-base")
    reference = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    policy = DevicePolicy(torch.device("cpu"), torch.float32, "sdpa", "for a test")
    with torch.inference_mode():
        ours = WhisperModel(reference, extractor, tokenizer, policy)
    return Whisper(reference, extractor, tokenizer, ours)


@pytest.fixture(scope="package")
def sample() -> Float32:
    """30 s of a telephone call between two speakers."""
    return audio(SAMPLE)
