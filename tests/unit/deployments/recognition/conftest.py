from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from deployments.models import cache
from deployments.models.resolve import resolve
from deployments.recognition.device import DevicePolicy
from deployments.recognition.model.whisper import WhisperModel
from interchange.stages import Float32
from tests.support.recordings.speech import SAMPLE
from tests.unit.deployments.recognition.support import Whisper, audio


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other crawl where tests share their cores with other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    reference: Any
    extractor: Any
    tokenizer: Any


@pytest.fixture(scope="package")
def checkpoint(one_thread: None) -> Checkpoint:
    if not (cache.root() / "whisper-base").is_dir():
        pytest.skip("bundled:whisper-base is not in the cache: run `make weights`")
    from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

    folder = resolve("bundled:whisper-base")
    return Checkpoint(
        WhisperForConditionalGeneration.from_pretrained(folder).eval(),
        AutoFeatureExtractor.from_pretrained(folder),
        AutoTokenizer.from_pretrained(folder),
    )


@pytest.fixture(scope="package")
def whisper(request: pytest.FixtureRequest, checkpoint: Checkpoint) -> Whisper:
    """The bundled model, of which both sides share the weights.

    Ours multiplies in float32, as those of transformers are, unless a test asks for a type.
    """
    dtype = getattr(request, "param", torch.float32)
    policy = DevicePolicy(torch.device("cpu"), dtype, "sdpa", "for a test")
    with torch.inference_mode():
        ours = WhisperModel(
            checkpoint.reference, checkpoint.extractor, checkpoint.tokenizer, policy
        )
    return Whisper(checkpoint.reference, checkpoint.extractor, checkpoint.tokenizer, ours)


@pytest.fixture(scope="package")
def sample() -> Float32:
    """30 s of a telephone call between two speakers."""
    return audio(SAMPLE)
