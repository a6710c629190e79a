"""Local speakers who are two people go apart; others stay as they are."""

import numpy as np
import pytest

from deployments.diarization.grid import Grid, UInt8
from deployments.diarization.speakers.clustering import Bounds
from deployments.diarization.speakers.parts import Parting
from deployments.diarization.speakers.similarity import SimilarityClustering
from interchange.stages import Float32

GRID = Grid(chunk=160_000, hop=270, field=991, frames=589, step=119)
PARTS = 5
parting = Parting(0.5)


def voices(*people: int) -> Float32:
    """(parts, dimension) of one chunk: who talks in each part, -1 for nobody."""
    found = np.full((len(people), 192), np.nan, np.float32)
    for part, person in enumerate(people):
        if person >= 0:
            found[part] = 0.1
            found[part, 20 * person : 20 * person + 20] = 3.0
    return found


def talking(*ranges: tuple[int, int, int]) -> UInt8:
    """(1, frames, local speakers) of (local speaker, first frame, end)."""
    masks = np.zeros((1, 589, 3), np.uint8)
    for local, begin, end in ranges:
        masks[0, begin:end, local] = 1
    return masks


def split(masks: UInt8, *people: int) -> tuple[UInt8, Float32]:
    embeddings = np.full((1, 3, 192), np.nan, np.float32)
    embeddings[masks.any(axis=1)] = 1.0
    return parting.split(masks, embeddings, voices(*people)[None], GRID)


def test_parts_are_of_the_one_who_is_alone_in_them_for_longest() -> None:
    masks = talking((0, 0, 300), (1, 250, 589))
    found = parting.masks(masks)
    assert found.shape == (1, 589, PARTS)
    # Where both talk nobody is alone, and in the middle the second one is for longer.
    assert found[0].sum(axis=0).tolist() == [118, 118, 53, 118, 118]
    assert found[0, 300:353, 2].all()
    assert found[0].sum(axis=1).max() == 1


def test_two_who_were_taken_for_one_go_apart() -> None:
    masks = talking((1, 0, 589))
    found, embeddings = split(masks, 0, 0, 0, 2, 2)
    assert found.shape == (1, 589, 5)
    assert not found[..., :3].any()
    assert np.isnan(embeddings[0, :3]).all()
    assert (found.sum(axis=2) == 1).all()
    first, second = (int(np.flatnonzero(found[0, :, column])[0]) for column in (3, 4))
    assert {first, second} == {0, 353}
    assert abs(embeddings[0, 3] @ embeddings[0, 4]) < 0.2 * np.linalg.norm(embeddings[0, 3]) ** 2


def test_a_part_with_little_speech_goes_with_the_nearest() -> None:
    masks = talking((1, 0, 250), (1, 400, 589))
    found, _ = split(masks, 0, 0, 1, 2, 2)
    at = {int(column): np.flatnonzero(found[0, :, column]) for column in (3, 4)}
    assert {(int(each[0]), int(each[-1])) for each in at.values()} == {(0, 249), (400, 588)}


@pytest.mark.parametrize("people", [(1, 1, 1, 1, 1), (1, -1, -1, -1, -1)])
def test_one_person_is_left_whole(people: tuple[int, ...]) -> None:
    masks = talking((0, 0, 117 if -1 in people else 589))
    found, embeddings = split(masks, *people)
    assert np.array_equal(found, masks)
    assert (embeddings[0, 0] == 1).all()


def test_two_local_speakers_are_not_compared_with_each_other() -> None:
    masks = talking((0, 0, 236), (1, 236, 589))
    found, _ = split(masks, 0, 0, 1, 1, 1)
    assert np.array_equal(found, masks)


@pytest.mark.parametrize(("seconds", "count"), [(1.5, 1), (5.0, 2)])
def test_a_speaker_of_parts_talks_for_long_enough(seconds: float, count: int) -> None:
    chunks = 20
    masks = np.zeros((chunks, 589, 4), np.uint8)
    masks[:, :, 0] = 1
    embeddings = np.full((chunks, 4, 192), np.nan, np.float32)
    embeddings[:, 0] = voices(0)[0]
    # Each frame of the recording is seen by five chunks.
    frames = round(seconds * 16_000 / 270)
    masks[5:10, :frames, 3], masks[5:10, :frames, 0] = 1, 0
    embeddings[5:10, 3] = voices(4)[0]
    found = SimilarityClustering()(embeddings, masks, np.ones(chunks, np.bool_), GRID, Bounds())
    assert len({*found[found >= 0].tolist()}) == count
