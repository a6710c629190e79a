"""Which chunks are looked at."""

import numpy as np
import pytest
import torch

from deployments.diarization.grid import Grid
from deployments.diarization.sparing import NONE_SPARED, Sparing, covering

GRID = Grid(chunk=160_000, hop=270, field=991, frames=589, step=118)


@pytest.mark.parametrize("number", [0, 3, 5, 90])
@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("every", [1, 2, 4])
def test_what_is_wanted_leaves_no_frame_unseen(number: int, count: int, every: int) -> None:
    wanted = Sparing(dense_s=10.0, every=every, apart=0.1).wanted(GRID, number, count)
    looked = np.isin(np.arange(count), wanted)
    assert looked[: max(0, 5 - number)].all()
    assert len(wanted) <= max(0, 5 - number) + 2 + count / every
    assert GRID.united(np.repeat(looked[:, None], GRID.frames, axis=1)).all()
    assert NONE_SPARED.wanted(GRID, number, count) == list(range(count))


def test_chunks_agree_whoever_comes_first_in_them() -> None:
    speech = np.random.default_rng(0).random((GRID.total(9), 3)) > 0.5
    found = torch.zeros((9, GRID.frames, 3), dtype=torch.uint8)
    for chunk, order in [(0, [0, 1, 2]), (2, [2, 0, 1]), (5, [1, 0, 2]), (8, [0, 2, 1])]:
        begin = chunk * GRID.step
        found[chunk] = torch.from_numpy(speech[begin : begin + GRID.frames, order])
    sparing = Sparing(dense_s=0.0, every=3, apart=0.0)
    found[8, : GRID.frames // 3] = 0
    assert sparing.agreeing(GRID, found, [0, 1, 2, 5, 8]) == [(2, 5)]
    assert sparing.agreeing(GRID, found, [0, 2, 5, 8]) == [(0, 2), (2, 5)]


@pytest.mark.parametrize(
    ("chunks", "apart", "some"),
    [
        ([7], 4, [7]),
        ([*range(10)], 4, [0, 4, 8, 9]),
        ([*range(1, 10, 2)], 4, [1, 5, 9]),
        ([0, 1, 2, 3, 6, 9, 12], 4, [0, 3, 6, 9, 12]),
    ],
)
def test_some_chunks_cover_what_all_do(chunks: list[int], apart: int, some: list[int]) -> None:
    assert covering(chunks, apart) == some
