import numpy as np

from deployments.diarization.grid import Grid
from deployments.diarization.speakers.voices import alike, named, reference_masks
from interchange.stages import SAMPLE_RATE, Voice

EAST, NORTH = (1.0, 0.0), (0.0, 1.0)
GRID = Grid(chunk=10 * SAMPLE_RATE, hop=SAMPLE_RATE // 10, field=1, frames=100, step=20)


def near(*cosines: float) -> np.ndarray:
    """Voices so alike to EAST."""
    return np.array([(c, (1 - c * c) ** 0.5) for c in cosines], np.float32)


def test_names_go_to_the_voices_they_are_most_like() -> None:
    known = (Voice("Ann", (EAST,), "m"), Voice("Bo", (NORTH,), "m"))
    assert named(near(0.1, 0.9), known, 0.5) == {0: "Bo", 1: "Ann"}


def test_a_person_is_one_speaker_only() -> None:
    assert named(near(0.8, 0.9), (Voice("Ann", (EAST,), "m"),), 0.5) == {1: "Ann"}


def test_strangers_stay_strangers() -> None:
    assert named(near(0.4), (Voice("Ann", (EAST,), "m"),), 0.5) == {}
    assert named(near(0.4), (), 0.5) == {}
    assert named(near(), (Voice("Ann", (EAST,), "m"),), 0.5) == {}


def test_the_best_of_several_recordings_counts() -> None:
    assert named(near(0.95), (Voice("Ann", (NORTH, EAST), "m"),), 0.9) == {0: "Ann"}


def test_of_a_reference_only_what_one_says_alone_counts() -> None:
    masks = np.zeros((1, 100, 2), np.uint8)
    masks[0, 0:30, 0] = 1
    masks[0, 25:45, 1] = 1
    used, enough = reference_masks(masks, GRID)
    assert used[0, :, 0].nonzero()[0].tolist() == [*range(25), *range(30, 45)]
    assert used[..., 1:].sum() == used[..., 0].sum(), "the pieces are the whole"
    assert enough[0].tolist() == [True, True, True, False, False, False], "0.5 s is too little"


def test_how_alike_the_least_alike_are() -> None:
    assert alike(near(1.0)) == 1.0
    assert alike(near(1.0, 0.9, 0.95)) > 0.9
    assert alike(near(1.0, 0.9, 0.1)) < 0.6
