"""Pipelines as they are published: a folder with a `config.yaml` and models beside it.

The hub's own weights are not at hand in tests. The segmentation model is the bundled one, the
embedding network pyannote's WeSpeaker ResNet34 with random weights: it tells nobody apart, and
shows all the same that the pipeline loads and that sharing chunks changes no embedding.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightning import Trainer
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.pipelines.speaker_verification import PyannoteAudioPretrainedSpeakerEmbedding

from configs.settings import DiarizationSettings
from deployments.diarization.bundled import SEGMENTATION_FILE
from deployments.diarization.pipeline import Diarizer
from deployments.diarization.shared_chunks import ShareChunks
from deployments.models.resolve import resolve
from deployments.models.wheels import WeightsUnavailable
from interchange.stages import DiarizationOptions, Int16


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the architecture of `pyannote/wespeaker-voxceleb-resnet34-LM`."""
    torch.manual_seed(0)
    model = WeSpeakerResNet34()
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0
    )
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", barebones=True)
    trainer.strategy.connect(model)
    path = tmp_path_factory.mktemp("embedding") / "pytorch_model.bin"
    trainer.save_checkpoint(path)
    return path


@pytest.fixture
def folder(embedding: Path, tmp_path: Path) -> Path:
    segmentation = resolve("bundled:diarization", None, None) / SEGMENTATION_FILE
    config = {
        "version": "3.1.0",
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {
                "clustering": "AgglomerativeClustering",
                "embedding": str(embedding),
                "embedding_exclude_overlap": True,
                "segmentation": str(segmentation),
            },
        },
        "params": {
            "clustering": {"method": "centroid", "min_cluster_size": 2, "threshold": 0.7},
            "segmentation": {"min_duration_off": 0.0},
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_a_folder_of_version_3_1_loads_and_finds_turns(folder: Path, conversation: Int16) -> None:
    diarizer = Diarizer(DiarizationSettings(model=str(folder), device="cpu", threads=1))
    turns = diarizer.turns(conversation[: 16_000 * 15], DiarizationOptions(num_speakers=1))
    assert turns, "two people talk"
    assert {turn.speaker for turn in turns} == {"SPEAKER_00"}


def test_sharing_chunks_changes_no_embedding(embedding: Path, conversation: Int16) -> None:
    model = Model.from_pretrained(embedding)
    device = torch.device("cpu")
    theirs = PyannoteAudioPretrainedSpeakerEmbedding(model, device)
    assert ShareChunks.fits(model)
    chunks = torch.from_numpy(conversation[16_000 * 8 : 16_000 * 28].copy()).view(2, 1, -1)
    rows = chunks.repeat_interleave(3, dim=0)
    masks = (torch.rand(6, 589, generator=torch.Generator().manual_seed(1)) > 0.3).float()
    expected = theirs(rows.float() / 32768, masks)
    np.testing.assert_allclose(ShareChunks(model, device)(rows, masks), expected, atol=1e-5)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "pipeline: {}",
        "- a list",
        "a: [",
        "pipeline: {name: pyannote.audio.pipelines.Resegmentation}",
    ],
)
def test_a_folder_of_something_else_is_refused_in_a_sentence(
    folder: Path, content: str | None
) -> None:
    if content is None:
        (folder / "config.yaml").unlink()
    else:
        (folder / "config.yaml").write_text(content)
    with pytest.raises(WeightsUnavailable, match=r"config\.yaml"):
        Diarizer(DiarizationSettings(model=str(folder), device="cpu", threads=1))
