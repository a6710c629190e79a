"""Pieces of work are done in order, beside each other, and no further ahead than is told."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import torch

from deployments.diarization.networks.workers import Workers

THREADS = [1, 2, 3]


@pytest.mark.parametrize("threads", THREADS)
def test_results_come_in_order(threads: int) -> None:
    def work(piece: int) -> int:
        time.sleep(0.01 * (piece % 3))
        return piece * piece

    assert list(Workers(threads).map(work, range(20))) == [n * n for n in range(20)]


def test_pieces_are_done_beside_each_other_by_one_thread_each() -> None:
    together = threading.Barrier(2, timeout=30)

    def work(piece: int) -> int:
        together.wait()
        return torch.get_num_threads()

    assert list(Workers(2).map(work, range(4))) == [1] * 4


@pytest.mark.parametrize("threads", THREADS)
def test_work_keeps_no_gradients(threads: int) -> None:
    weight = torch.ones(1, requires_grad=True)
    with torch.inference_mode():
        found = list(Workers(threads).map(lambda piece: weight * piece, range(3)))
    assert not any(each.requires_grad for each in found)


@pytest.mark.parametrize("threads", THREADS)
def test_pieces_are_taken_as_they_are_needed(threads: int) -> None:
    taken = []

    def pieces() -> Iterator[int]:
        for piece in range(100):
            taken.append(piece)
            yield piece

    with closing(Workers(threads).map(lambda piece: piece, pieces())) as results:
        next(results)
    assert len(taken) == (1 if threads == 1 else 2 * threads + 1)


@pytest.mark.parametrize("threads", THREADS)
def test_what_a_piece_raises_is_raised_when_the_others_have_ended(threads: int) -> None:
    running = []

    def work(piece: int) -> int:
        if piece == 2:
            raise RuntimeError("not enough memory")
        running.append(piece)
        time.sleep(0.05)
        running.remove(piece)
        return piece

    with pytest.raises(RuntimeError, match="not enough memory"):
        list(Workers(threads).map(work, range(50)))
    assert not running


@pytest.mark.parametrize(
    ("threads", "count", "most", "expected"),
    [(1, 18, 8, 3), (2, 18, 8, 4), (2, 72, 8, 10), (2, 1, 8, 1), (4, 3, 8, 3), (3, 24, 8, 3)],
)
def test_all_threads_have_some(threads: int, count: int, most: int, expected: int) -> None:
    assert Workers(threads).split(count, most) == expected
