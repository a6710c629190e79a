import numpy as np
import pytest

from configs.settings import DiarizationSettings
from deployments.audio.decode import Decoder
from deployments.diarization.pipeline import Diarizer
from interchange.stages import Int16
from tests.support.recordings.speech import SAMPLE


@pytest.fixture(scope="session")
def conversation() -> Int16:
    """30 s of two speakers, int16 at 16 kHz."""
    with SAMPLE.open("rb") as file:
        samples = np.concatenate(list(Decoder(file, max_duration_s=60)))
    return (samples * 32767).astype(np.int16)


@pytest.fixture(scope="session")
def diarizer() -> Diarizer:
    """The bundled models, in the type that pyannote runs them in. One thread: others crawl where
    tests share their cores."""
    return Diarizer(DiarizationSettings(device="cpu", dtype="float32", threads=1))


@pytest.fixture(scope="session")
def short_diarizer() -> Diarizer:
    """The same with voices in bfloat16, which takes longer where the processor has no units."""
    return Diarizer(DiarizationSettings(device="cpu", dtype="bfloat16", threads=1))


@pytest.fixture(scope="session")
def integer_diarizer() -> Diarizer:
    """The same in 16-bit integers."""
    return Diarizer(DiarizationSettings(device="cpu", dtype="int16", threads=1))
