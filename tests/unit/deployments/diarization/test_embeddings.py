"""Embeddings from one pass over a recording, against the network run on each chunk by itself."""

import numpy as np
import pytest
import torch

from deployments.diarization.embeddings import SpeakerEmbedder, alone, pool
from deployments.diarization.grid import Grid, UInt8
from deployments.diarization.networks.filterbank import SAMPLE_RATE, Filterbank
from deployments.diarization.networks.trunks import CamPlusPlusTrunk
from deployments.diarization.pipeline import Diarizer
from interchange.stages import DiarizationOptions, Float32, Int16

FRAMES = 589
"""Of a 10 s chunk, as pyannote's segmentation cuts it."""
HOP = 270


def grid(step: int = FRAMES) -> Grid:
    return Grid(chunk=10 * SAMPLE_RATE, hop=HOP, field=991, frames=FRAMES, step=step)


@pytest.fixture
def embedder(diarizer: Diarizer) -> SpeakerEmbedder:
    return diarizer._pipeline.embedder


def embed(subject: SpeakerEmbedder, waveform: Int16, masks: UInt8, step: int = FRAMES) -> Float32:
    return subject.embed(torch.from_numpy(waveform), masks, grid(step), lambda done, total: None)


def similarity(a: Float32, b: Float32) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_chunk_is_embedded_as_if_by_itself(
    embedder: SpeakerEmbedder, conversation: Int16
) -> None:
    waveform = conversation[10 * SAMPLE_RATE : 20 * SAMPLE_RATE]
    ours = embed(embedder, waveform, np.ones((1, FRAMES, 1), np.uint8))[0, 0]
    trunk = embedder._trunk
    assert isinstance(trunk, CamPlusPlusTrunk)
    features = Filterbank()(torch.from_numpy(waveform).float() / 32768)[None]
    with torch.inference_mode():
        theirs = trunk._network(features - features.mean(dim=1, keepdim=True))[0].numpy()
    assert similarity(ours, theirs) > 0.98


def test_embeddings_of_bfloat16_are_nearly_those_of_float32(
    embedder: SpeakerEmbedder, short_diarizer: Diarizer, conversation: Int16
) -> None:
    masks = np.zeros((3, FRAMES, 2), np.uint8)
    masks[:, : FRAMES // 2, 0] = masks[:, FRAMES // 2 :, 1] = 1
    short = short_diarizer._pipeline.embedder
    exact, found = (embed(each, conversation, masks) for each in (embedder, short))
    assert found.dtype == np.float32
    alike = list(map(similarity, exact.reshape(6, -1), found.reshape(6, -1)))
    assert min(alike) > 0.998
    assert max(alike) < 0.999999, "or nothing was shortened"
    frames = short._trunk.frames(torch.zeros(1, 16_000))
    assert frames.dtype == torch.float32, "means and deviations are taken of many"


def test_one_speaker_is_nearer_to_itself_than_to_another(
    embedder: SpeakerEmbedder, diarizer: Diarizer, conversation: Int16
) -> None:
    """Two chunks, the two voices in each taken apart by what diarization says of them."""
    turns = diarizer.turns(conversation, DiarizationOptions())
    masks = np.zeros((2, FRAMES, 2), np.uint8)
    length = FRAMES * HOP / SAMPLE_RATE
    for turn in turns:
        for chunk, begin in enumerate((10.0, 10.0 + length)):
            first, last = (
                round(min(max(at - begin, 0.0), length) / length * FRAMES)
                for at in (turn.start, turn.end)
            )
            masks[chunk, first:last, int(turn.speaker[-1])] = 1
    (a, b), (c, d) = embed(embedder, conversation[10 * SAMPLE_RATE :], alone(masks, 29))
    assert min(similarity(a, c), similarity(b, d)) > max(similarity(a, d), similarity(b, c))


def test_a_silent_speaker_has_no_embedding(embedder: SpeakerEmbedder, conversation: Int16) -> None:
    masks = np.zeros((1, FRAMES, 3), np.uint8)
    masks[0, :100, 1] = 1
    found = embed(embedder, conversation[: 10 * SAMPLE_RATE], masks)
    assert np.isnan(found[0, [0, 2]]).all()
    assert np.isfinite(found[0, 1]).all()


@pytest.mark.parametrize("seconds", [0.05, 0.9, 10.0, 13.7, 20.02, 30.0])
def test_batches_of_blocks_make_no_difference(
    embedder: SpeakerEmbedder, conversation: Int16, seconds: float
) -> None:
    waveform = conversation[: round(seconds * SAMPLE_RATE)]
    masks = np.ones((grid(148).chunks(len(waveform)), FRAMES, 1), np.uint8)
    one = SpeakerEmbedder(embedder._trunk, torch.device("cpu"), batch_size=1)
    many = SpeakerEmbedder(embedder._trunk, torch.device("cpu"), batch_size=5)
    np.testing.assert_allclose(
        embed(one, waveform, masks, 148), embed(many, waveform, masks, 148), atol=1e-3
    )


def test_chunks_around_silence_are_pooled_from_their_own_frames(
    embedder: SpeakerEmbedder, conversation: Int16
) -> None:
    """Silence is not embedded: frames behind it lie elsewhere than their time says."""
    speech = conversation[10 * SAMPLE_RATE : 20 * SAMPLE_RATE]
    waveform = np.concatenate([speech, np.zeros(100 * HOP * FRAMES, np.int16), speech])
    waveform = np.roll(waveform, HOP * FRAMES - 10 * SAMPLE_RATE)
    waveform[: len(speech)] = speech
    masks = np.zeros((102, FRAMES, 1), np.uint8)
    masks[[0, 101]] = 1
    found = embed(embedder, waveform, masks)
    assert similarity(found[0, 0], found[101, 0]) > 0.98
    assert np.isnan(found[1:101]).all()


def test_progress_is_told_and_may_end_the_work(
    embedder: SpeakerEmbedder, conversation: Int16
) -> None:
    masks = np.ones((70, FRAMES, 1), np.uint8)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done:
            raise KeyError

    with pytest.raises(KeyError):
        embedder.embed(torch.from_numpy(conversation), masks, grid(10), progress)
    assert len(told) == 2
    assert told[0] == (0, 70)


def test_pooling_is_the_mean_and_deviation_of_the_marked_frames() -> None:
    frames = torch.randn(2, 50, 4) * 3 + 7
    weights = torch.zeros(2, 2, 50)
    weights[:, 0, 10:30] = 1
    marked = frames[:, 10:30]
    expected = torch.cat([marked.mean(1), marked.std(1)], dim=1)
    found = pool(frames, weights)
    torch.testing.assert_close(found[:, 0], expected)
    assert (found[:, 1] == 0).all()


def test_overlapped_frames_count_only_where_little_else_is_left() -> None:
    masks = np.zeros((1, 100, 2), np.uint8)
    masks[0, :60, 0] = 1
    masks[0, 50:, 1] = 1
    clean = alone(masks, 5)
    assert clean[0, :, 0].sum() == 50
    assert clean[0, :, 1].sum() == 40
    masks[0, :, 1] = masks[0, :, 0]
    assert (alone(masks, 5) == masks).all()
