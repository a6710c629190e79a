"""The memory that docs/deployment.md gives for each profile, against the cards it names.

What was measured on a GPU is held to within a twentieth.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from configs.settings import Settings
from tests.unit.configs.strict import ROOT, read

GB = 1e9
HALF = 2
POSITIONS = 1500
"""Of the encoder's output: 30 s at 50 a second."""
TOKENS = 448


@dataclass(frozen=True)
class Whisper:
    parameters: float
    width: int
    encoder_layers: int
    decoder_layers: int

    @property
    def weights(self) -> float:
        return self.parameters * HALF

    @property
    def slot(self) -> float:
        """Keys and values of one window: cross-attention and self-attention."""
        return 2 * self.decoder_layers * self.width * (POSITIONS + TOKENS) * HALF

    @property
    def silent_suffix(self) -> float:
        """Keys and values of 30 s of silence in each layer of the encoder."""
        return 2 * self.encoder_layers * self.width * POSITIONS * HALF

    @property
    def recordings(self) -> float:
        """Recorded work and what it works in, fitted to what was measured."""
        return 2.75 * GB + 0.035 * GB * self.decoder_layers

    def reserved(self, slots: int) -> float:
        """What torch reserves."""
        return self.weights + self.silent_suffix + self.recordings + slots * self.slot


WHISPER = {
    "openai/whisper-large-v3": Whisper(1.5435e9, 1280, 32, 32),
    "openai/whisper-large-v3-turbo": Whisper(0.8089e9, 1280, 32, 4),
}

# The CUDA context and libraries of a process.
CONTEXT = 0.8 * GB

# The peak that torch had reserved on an H200, by `python -m benchmarks.gpu_check`.
MEASURED = {
    ("openai/whisper-large-v3", 32): (17.1, 17.7),
    ("openai/whisper-large-v3", 64): (27.4, 27.4),
    ("openai/whisper-large-v3-turbo", 32): (5.97, 6.04),
}

# What torch had reserved there for diarization, by `python -m benchmarks.diarization.stages`:
# chunks in a batch, and GB. Of pyannote's pipelines these are upper bounds: they came second in a
# process.
DIARIZER = {
    "bundled": ([8, 32, 64, 128], [0.58, 1.02, 1.53, 2.21]),
    "published": ([8, 64, 128, 256], [2.21, 2.21, 3.32, 4.87]),
}


def recognizer(settings: Settings) -> float:
    return WHISPER[settings.recognition.model].reserved(settings.recognition.slots) + CONTEXT


def diarizer(settings: Settings) -> float:
    kind = "bundled" if settings.diarization.model.startswith("bundled:") else "published"
    return CONTEXT + GB * float(np.interp(settings.diarization.batch_size, *DIARIZER[kind]))


@pytest.mark.parametrize(
    ("path", "card", "together"),
    [
        ("serve_config.yaml", 24.1 * GB, True),
        ("configs/gpu.yaml", 8.5 * GB, True),
        ("configs/multi-gpu.yaml", 24.1 * GB, False),
    ],
)
def test_the_models_leave_a_tenth_of_the_card(path: str, card: float, together: bool) -> None:
    app = read(path)["applications"][0]
    settings = Settings.from_args(app["args"])
    usable = 0.9 * card
    if together:
        assert recognizer(settings) + diarizer(settings) < usable
        options = {each["name"]: each["ray_actor_options"] for each in app["deployments"]}
        assert recognizer(settings) < options["SpeechRecognizer"]["num_gpus"] * card
        assert diarizer(settings) < options["SpeakerDiarizer"]["num_gpus"] * card
    else:
        assert recognizer(settings) < usable
        assert 4 * diarizer(settings) < usable


@pytest.mark.parametrize(("subject", "peaks"), MEASURED.items())
def test_what_is_reckoned_is_what_was_measured(
    subject: tuple[str, int], peaks: tuple[float, float]
) -> None:
    name, slots = subject
    for peak in peaks:
        assert WHISPER[name].reserved(slots) / GB == pytest.approx(peak, rel=0.05)


def test_the_figures_of_the_page() -> None:
    large = WHISPER["openai/whisper-large-v3"]
    turbo = WHISPER["openai/whisper-large-v3-turbo"]
    page = (ROOT / "docs/deployment.md").read_text()
    for what, value, other in [
        ("weights", large.weights / GB, turbo.weights / GB),
        ("a slot", large.slot / 1e6, turbo.slot / 1e6),
    ]:
        digits = 2 if what == "weights" else 0
        unit = "GB" if what == "weights" else "MB"
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {what}")]
        assert f"{value:.{digits}f} {unit}" in row
        assert f"{other:.{digits}f} {unit}" in row
    for path in ("serve_config.yaml", "configs/gpu.yaml", "configs/multi-gpu.yaml"):
        settings = Settings.from_args(read(path)["applications"][0]["args"])
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{path}`")]
        assert f"{recognizer(settings) / GB:.1f} GB" in row
        assert f"{diarizer(settings) / GB:.1f} GB" in row
