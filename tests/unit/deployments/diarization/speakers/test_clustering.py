"""Clustering of voices made up here: unit vectors around one of each speaker."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from deployments.diarization.grid import Grid, UInt8
from deployments.diarization.reconstruction import Speakers
from deployments.diarization.speakers import clustering
from deployments.diarization.speakers import similarity as module
from deployments.diarization.speakers.clustering import (
    NOBODY,
    Bounds,
    cosine_distances,
    nearest_apart,
    shares,
    sums,
)
from deployments.diarization.speakers.pyannote_clustering import apart, linked
from deployments.diarization.speakers.similarity import SimilarityClustering
from interchange.stages import Float32

GRID = Grid(chunk=160_000, hop=270, field=991, frames=589, step=119)
ANY = Bounds()


def cluster(embeddings: Float32, masks: UInt8, grid: Grid, bounds: Bounds) -> Speakers:
    return SimilarityClustering()(embeddings, masks, np.ones(len(masks), np.bool_), grid, bounds)


def recording(
    chunks: Sequence[tuple[int, ...]], spread: float = 0.5, seconds: float = 4.0
) -> tuple[Float32, UInt8]:
    """(embeddings, masks) of chunks in which these people talk, one after another."""
    random = np.random.default_rng(3)
    people = np.linalg.qr(random.normal(size=(192, 40)))[0].T
    embeddings = np.full((len(chunks), 3, 192), np.nan, np.float32)
    masks = np.zeros((len(chunks), 589, 3), np.uint8)
    frames = round(seconds * 16_000 / 270)
    for chunk, who in enumerate(chunks):
        for local, person in enumerate(who):
            noise = random.normal(size=192) * spread / np.sqrt(192)
            embeddings[chunk, local] = people[person] + noise
            masks[chunk, local * 150 : local * 150 + min(frames, 150), local] = 1
    return embeddings, masks


def same(found: Speakers, chunks: Sequence[tuple[int, ...]]) -> bool:
    """Whether the numbers found stand for the people, one for one."""
    pairs = {
        (int(found[chunk, local]), person)
        for chunk, who in enumerate(chunks)
        for local, person in enumerate(who)
    }
    return len(pairs) == len({number for number, _ in pairs}) == len({who for _, who in pairs})


@pytest.mark.parametrize("people", [1, 2, 5, 12])
def test_people_are_told_apart(people: int) -> None:
    chunks = [(n % people, (n + 1) % people)[: 1 if people == 1 else 2] for n in range(60)]
    embeddings, masks = recording(chunks)
    found = cluster(embeddings, masks, GRID, ANY)
    assert same(found, chunks)
    assert (found[:, 2] == NOBODY).all()


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        (Bounds(1, 1), 1),
        (Bounds(2, 2), 2),
        (Bounds(5, None), 5),
        (Bounds(1, 3), 3),
        (Bounds(4, 4), 4),
    ],
)
def test_the_number_of_speakers_is_within_bounds(bounds: Bounds, count: int) -> None:
    embeddings, masks = recording([(n % 4,) for n in range(40)])
    found = cluster(embeddings, masks, GRID, bounds)
    assert len(set(found[found >= 0].tolist())) == count


def test_more_speakers_than_voices_are_as_many_as_there_are() -> None:
    embeddings, masks = recording([(0,), (1,)])
    found = cluster(embeddings, masks, GRID, Bounds(7, 7))
    assert set(found[:, 0].tolist()) == {0, 1}


def test_a_moment_of_another_voice_is_no_speaker() -> None:
    chunks: list[tuple[int, ...]] = [(0,)] * 100
    chunks[50] = (1,)
    embeddings, masks = recording(chunks)
    found = cluster(embeddings, masks, GRID, ANY)
    assert set(found[:, 0].tolist()) == {0}


def test_two_who_talk_at_once_are_two() -> None:
    embeddings, masks = recording([(0, 0)] * 20, spread=1.0)
    masks[:, :150, 1] = masks[:, :150, 0]
    masks[:, 150:300, 0] = 1
    found = cluster(embeddings, masks, GRID, ANY)
    assert (found[:, 0] != found[:, 1]).all()
    assert (cluster(embeddings, masks, GRID, Bounds(1, 1))[:, :2] == 0).all()


def test_short_remarks_go_to_the_nearest_speaker() -> None:
    embeddings, masks = recording([(0,), (1,)] * 10)
    masks[3, 20:] = 0
    found = cluster(embeddings, masks, GRID, ANY)
    assert same(found, [(0,), (1,)] * 10)


def test_a_recording_of_remarks_alone_is_clustered_by_them() -> None:
    chunks = [(n % 2,) for n in range(20)]
    embeddings, masks = recording(chunks, seconds=0.4)
    assert same(cluster(embeddings, masks, GRID, ANY), chunks)


def test_long_recordings_are_clustered_by_some_of_their_voices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_CLUSTERED", 90)
    chunks = [(n // 40 % 30,) for n in range(2400)]
    embeddings, masks = recording(chunks)
    assert same(cluster(embeddings, masks, GRID, ANY), chunks)


def test_silence_has_nobody() -> None:
    embeddings, masks = recording([()] * 3)
    assert (cluster(embeddings, masks, GRID, ANY) == NOBODY).all()


def test_local_speakers_of_a_chunk_are_kept_apart_while_others_are_left() -> None:
    similarity = np.array([[[0.9, 0.2], [0.8, 0.1], [0.0, 0.0]]], np.float32)
    two, three = np.array([[True, True, False]]), np.array([[True, True, True]])
    assert nearest_apart(similarity, two).tolist() == [[0, 1, NOBODY]] or nearest_apart(
        similarity, two
    ).tolist() == [[1, 0, NOBODY]]
    assert set(nearest_apart(similarity, three)[0].tolist()) == {0, 1}
    assert nearest_apart(similarity[..., :1], two).tolist() == [[0, 0, NOBODY]]


def test_pyannotes_constraint_takes_more_than_127_speakers() -> None:
    similarity = np.zeros((1, 3, 300), np.float32)
    similarity[0, 0, 299] = similarity[0, 1, 150] = similarity[0, 2, 0] = 1
    assert apart(similarity).tolist() == [[299, 150, 0]]


def test_speech_at_the_ends_counts_as_much_as_any_other() -> None:
    masks = np.ones((7, 589, 1), np.uint8)
    found = shares(masks, np.ones(7, np.bool_), GRID)
    assert found.sum() == pytest.approx(GRID.total(7) * GRID.hop / 16_000, rel=1e-5)
    # The first chunk alone sees the recording's first two seconds.
    assert found[0, 0] > found[3, 0] > 1.9


def test_chunks_stand_for_the_seconds_of_those_that_were_not_looked_at() -> None:
    looked = np.arange(21) % 2 == 0
    masks = np.ones((21, 589, 1), np.uint8) * looked[:, None, None].astype(np.uint8)
    found = shares(masks, looked, GRID)
    assert found.sum() == pytest.approx(GRID.total(21) * GRID.hop / 16_000, rel=1e-5)
    assert not found[~looked].any()


def test_whoever_is_heard_at_the_very_beginning_only_is_a_speaker() -> None:
    chunks: list[tuple[int, ...]] = [(0,)] * 12
    embeddings, masks = recording(chunks)
    masks[:, :, 0] = 1
    masks[0, :65, 0], masks[0, :65, 1] = 0, 1
    embeddings[0, 1] = -embeddings[5, 0]
    found = cluster(embeddings, masks, GRID, ANY)
    assert found[0, 1] not in {*found[:, 0].tolist(), NOBODY}


@pytest.mark.parametrize("count", [2, 12, 13, 40])
def test_distances_of_all_pairs_are_scipys(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "_COMPARED", 13)
    rows = np.random.default_rng(1).normal(size=(count, 192)).astype(np.float32)
    rows[1] = 2 * rows[0]
    np.testing.assert_allclose(cosine_distances(rows), pdist(rows, "cosine"), atol=1e-12)


@pytest.mark.parametrize(
    ("method", "metric"), [("centroid", "euclidean"), ("average", "cosine"), ("ward", "euclidean")]
)
def test_trees_of_products_are_scipys(method: str, metric: str) -> None:
    rows = np.random.default_rng(2).normal(size=(60, 256))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(
        linked(rows.astype(np.float32), method=method, metric=metric),
        linkage(rows, method=method, metric=metric),
        atol=1e-5,
    )


def test_rows_of_one_label_are_summed() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = sums(rows, np.array([2, 0, 2, 3]))
    np.testing.assert_array_equal(found, [rows[1], [0, 0, 0], rows[0] + rows[2], rows[3]])
