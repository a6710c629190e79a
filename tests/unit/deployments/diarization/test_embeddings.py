"""Embeddings from one pass over a recording, against the network run on each chunk by itself."""

import numpy as np
import pytest
import torch

from deployments.diarization.bundled import alone
from deployments.diarization.embeddings import SpeakerEmbedder, pool
from deployments.diarization.filterbank import SAMPLE_RATE, Filterbank
from deployments.diarization.pipeline import Diarizer
from interchange.stages import DiarizationOptions, Float32, Int16

FRAMES = 589
"""Of a 10 s chunk, as pyannote's segmentation cuts it."""


@pytest.fixture
def embedder(diarizer: Diarizer) -> SpeakerEmbedder:
    found: SpeakerEmbedder = diarizer._pipeline.embedder
    return found


def embed(subject: SpeakerEmbedder, waveform: Int16, masks: Float32, step: float = 2.5) -> Float32:
    return subject.embed(torch.from_numpy(waveform), masks, 10.0, step, lambda done, total: None)


def similarity(a: Float32, b: Float32) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_chunk_is_embedded_as_if_by_itself(
    embedder: SpeakerEmbedder, diarizer: Diarizer, conversation: Int16
) -> None:
    waveform = conversation[10 * SAMPLE_RATE : 20 * SAMPLE_RATE]
    ours = embed(embedder, waveform, np.ones((1, FRAMES, 1), np.float32))[0, 0]
    network = embedder._network
    features = Filterbank()(torch.from_numpy(waveform).float() / 32768)[None]
    with torch.inference_mode():
        theirs = network(features - features.mean(dim=1, keepdim=True))[0].numpy()
    assert similarity(ours, theirs) > 0.99


def test_one_speaker_is_nearer_to_itself_than_to_another(
    embedder: SpeakerEmbedder, diarizer: Diarizer, conversation: Int16
) -> None:
    """Two chunks, the two voices in each taken apart by what diarization says of them."""
    turns = diarizer.turns(conversation, DiarizationOptions())
    masks = np.zeros((2, FRAMES, 2), np.float32)
    for turn in turns:
        for chunk, begin in enumerate((10.0, 20.0)):
            first, last = (
                round(min(max(at - begin, 0.0), 10.0) / 10.0 * FRAMES)
                for at in (turn.start, turn.end)
            )
            masks[chunk, first:last, int(turn.speaker[-1])] = 1
    (a, b), (c, d) = embed(embedder, conversation[10 * SAMPLE_RATE :], alone(masks), step=10.0)
    assert min(similarity(a, c), similarity(b, d)) > max(similarity(a, d), similarity(b, c))


def test_a_silent_speaker_has_no_embedding(embedder: SpeakerEmbedder, conversation: Int16) -> None:
    masks = np.zeros((1, FRAMES, 3), np.float32)
    masks[0, :100, 1] = 1
    found = embed(embedder, conversation[: 10 * SAMPLE_RATE], masks)
    assert np.isnan(found[0, [0, 2]]).all()
    assert np.isfinite(found[0, 1]).all()


@pytest.mark.parametrize("seconds", [10.0, 13.7, 20.02, 30.0])
def test_batches_of_blocks_make_no_difference(
    embedder: SpeakerEmbedder, conversation: Int16, seconds: float
) -> None:
    waveform = conversation[: round(seconds * SAMPLE_RATE)]
    masks = np.ones((1 + int(seconds > 10), FRAMES, 1), np.float32)
    one = SpeakerEmbedder(embedder._network, torch.device("cpu"), batch_size=1)
    np.testing.assert_allclose(
        embed(one, waveform, masks), embed(embedder, waveform, masks), atol=1e-3
    )


def test_progress_is_told_and_may_end_the_work(
    embedder: SpeakerEmbedder, conversation: Int16
) -> None:
    masks = np.ones((9, FRAMES, 1), np.float32)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done == 3:
            raise KeyError

    with pytest.raises(KeyError):
        embedder.embed(torch.from_numpy(conversation), masks, 10.0, 2.5, progress)
    assert told == [(1, 9), (2, 9), (3, 9)]


def test_pooling_is_the_mean_and_deviation_of_the_marked_frames() -> None:
    frames = torch.randn(4, 50) * 3 + 7
    weights = torch.zeros(1, 50)
    weights[0, 10:30] = 1
    expected = torch.cat([frames[:, 10:30].mean(1), frames[:, 10:30].std(1)])[None]
    torch.testing.assert_close(pool(frames, weights), expected)


def test_overlapped_frames_count_only_where_little_else_is_left() -> None:
    masks = np.zeros((1, 100, 2), np.float32)
    masks[0, :60, 0] = 1
    masks[0, 50:, 1] = 1
    clean = alone(masks)
    assert clean[0, :, 0].sum() == 50
    assert clean[0, :, 1].sum() == 40
    masks[0, :, 1] = masks[0, :, 0]
    assert (alone(masks) == masks).all()
