"""Pipelines as they are published: a folder with a `config.yaml` and models beside it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pyannote.audio import Model

from configs.settings import DiarizationSettings
from deployments.diarization.bundled import SEGMENTATION_FILE
from deployments.diarization.embeddings import pool
from deployments.diarization.networks.trunks import WeSpeakerTrunk
from deployments.diarization.pipeline import Diarizer
from deployments.models.resolve import resolve
from deployments.models.wheels import WeightsUnavailable
from interchange.stages import SAMPLE_RATE, DiarizationOptions, Int16
from tests.support.published import embedding_checkpoint, published_pipeline

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedding_checkpoint(tmp_path_factory.mktemp("embedding") / "pytorch_model.bin")


@pytest.fixture
def folder(embedding: Path, tmp_path: Path) -> Path:
    segmentation = resolve("bundled:diarization", None, None) / SEGMENTATION_FILE
    return published_pipeline(tmp_path, "3.1", segmentation, embedding)


@pytest.mark.parametrize("kind", ["3.1", "community-1"])
def test_a_published_folder_loads_and_finds_turns(
    embedding: Path, tmp_path: Path, conversation: Int16, kind: str
) -> None:
    segmentation = resolve("bundled:diarization", None, None) / SEGMENTATION_FILE
    folder = published_pipeline(tmp_path, kind, segmentation, embedding)
    diarizer = Diarizer(DiarizationSettings(model=str(folder), device="cpu", threads=1))
    turns = diarizer.turns(conversation[: SAMPLE_RATE * 15], DiarizationOptions(num_speakers=1))
    assert turns, "two people talk"
    assert {turn.speaker for turn in turns} == {"SPEAKER_00"}


def test_the_trunk_of_a_chunk_gives_pyannotes_embeddings(
    embedding: Path, conversation: Int16
) -> None:
    model = Model.from_pretrained(embedding).eval()
    trunk = WeSpeakerTrunk(model, torch.device("cpu"))
    chunk = torch.from_numpy(conversation[SAMPLE_RATE * 8 : SAMPLE_RATE * 18].copy()) / 32768
    masks = (torch.rand(1, 3, 125, generator=torch.Generator().manual_seed(1)) > 0.3).float()
    with torch.inference_mode():
        theirs = model(chunk[None, None].expand(3, 1, -1), weights=masks[0])
        # The last frames of a chunk by itself are fewer by what a filterbank frame sees.
        frames = trunk.frames(chunk[None])
        ours = trunk.embed(pool(frames, masks[..., : frames.shape[1]])[0])
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


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
