from itertools import pairwise
from statistics import median

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from deployments.recognition.engine.cpu_batch import CpuBatch
from deployments.recognition.model.alignment import (
    SECONDS_PER_POSITION,
    Matrix,
    token_starts,
    warp,
)
from deployments.recognition.model.encoder import all_layers
from deployments.recognition.window.words import split_words
from interchange.stages import Float32
from tests.unit.deployments.recognition.support import ENGLISH, Whisper

# ------------------------------------------------------------------------- the warp


def by_hand(cost: Matrix) -> float:
    """The least cost of a path from corner to corner, cell by cell."""
    rows, columns = cost.shape
    total = np.full((rows, columns), np.inf)
    for i in range(rows):
        for j in range(columns):
            before = [
                total[a, b]
                for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1))
                if a >= 0 and b >= 0
            ]
            total[i, j] = cost[i, j] + min(before, default=0.0)
    return float(total[-1, -1])


def cost_through(cost: Matrix, starts: list[int]) -> float:
    """The least cost of a path that enters each row in its column of `starts`."""
    total = 0.0
    for row, (start, following) in enumerate(pairwise([*starts, cost.shape[1] - 1])):
        # A row is left in the column where the next one begins, or in the one before it.
        stays = [cost[row, start : end + 1].sum() for end in (following - 1, following)]
        last = row == len(starts) - 1
        total += stays[1] if last or following == start else min(stays)
    return total


def test_the_warp_follows_a_path_that_anybody_can_see() -> None:
    cost = np.ones((4, 12))
    for row, (start, end) in enumerate(((0, 3), (3, 4), (4, 9), (9, 12))):
        cost[row, start:end] = -1
    assert warp(cost).tolist() == [0, 3, 4, 9]


def test_more_text_than_time_shares_the_time_there_is() -> None:
    assert warp(np.zeros((5, 1))).tolist() == [0, 0, 0, 0, 0]
    starts = warp(-np.eye(6, 3)).tolist()
    assert starts == sorted(starts)
    assert starts[-1] <= 2


def test_one_row_starts_at_the_beginning() -> None:
    assert warp(np.ones((1, 5))).tolist() == [0]


@given(
    npst.arrays(
        np.int64,
        npst.array_shapes(min_dims=2, max_dims=2, max_side=7),
        elements=st.integers(-5, 5),
    )
)
def test_the_warp_is_monotonic_and_no_path_is_cheaper(numbers: np.ndarray) -> None:
    cost = numbers.astype(np.float64)
    starts = warp(cost).tolist()
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert all(0 <= start < cost.shape[1] for start in starts)
    assert cost_through(cost, starts) == pytest.approx(by_hand(cost))


def test_tokens_start_where_the_heads_look() -> None:
    scores = torch.full((2, 3, 100), -4.0)
    for row, (start, end) in enumerate(((0, 30), (30, 45), (45, 100))):
        scores[:, row, start:end] = 4.0
    starts = token_starts(scores, 7)
    assert starts == pytest.approx([0, 30 * SECONDS_PER_POSITION, 45 * SECONDS_PER_POSITION])


def test_a_glance_elsewhere_is_smoothed_away() -> None:
    scores = torch.full((1, 2, 100), -4.0)
    scores[0, 0, :50], scores[0, 1, 50:] = 4.0, 4.0
    scores[0, 1, 20], scores[0, 0, 20] = 4.0, -4.0
    assert token_starts(scores, 7)[1] == pytest.approx(1.0)


def test_a_window_shorter_than_the_median_is_timed_too() -> None:
    assert token_starts(torch.zeros(1, 3, 2), 7)[0] == 0


# ------------------------------------------------------------------------- real speech


def test_words_are_timed_as_by_transformers(whisper: Whisper, sample: Float32) -> None:
    with torch.inference_mode():
        try:
            theirs = whisper.reference.generate(
                whisper.features(sample),
                language="en",
                task="transcribe",
                return_timestamps=True,
                return_token_timestamps=True,
                temperature=0.0,
                num_beams=1,
                force_unique_generate_call=True,
                return_dict_in_generate=True,
            )
        finally:
            # Asked for times, transformers turns to eager attention for good.
            whisper.reference.set_attn_implementation("sdpa")
        tokens = theirs["sequences"][0].tolist()
        times = theirs["token_timestamps"][0].tolist()
        assert len(tokens) == len(times)
        kept = [i for i, token in enumerate(tokens) if token < whisper.vocabulary.eot]
        text = tuple(tokens[i] for i in kept)
        batch = CpuBatch(whisper.ours, 1)
        slot = batch.take()
        batch.load(slot, all_layers(whisper.ours.encode_padded([sample]))[0])
        prompt = (*ENGLISH, whisper.vocabulary.no_timestamps)
        starts = batch.align({slot: ((*prompt, *text), len(prompt))})[slot]
    assert len(starts) == len(text) + 1
    assert list(starts) == sorted(starts)
    assert starts[-1] <= 30
    # What transformers notes for a token is its end, and so the start of what follows it.
    differences = []
    used = 0
    for _, count in split_words(text, whisper.tokenizer, "en"):
        differences.append(abs(starts[used] - times[kept[used] - 1]))
        used += count
        differences.append(abs(starts[used] - times[kept[used - 1]]))
    assert len(differences) > 80
    assert median(differences) <= 0.1
