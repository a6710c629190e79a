from itertools import pairwise
from statistics import median

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from deployments.recognition.engine.batch import Batch
from deployments.recognition.model.alignment import (
    SECONDS_PER_POSITION,
    Matrix,
    split_words,
    time_words,
    token_starts,
    warp,
    within,
)
from deployments.recognition.model.encoder import all_layers
from deployments.recognition.window.segments import TokenSegment
from interchange.stages import Float32
from interchange.transcript import Word
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
        batch = Batch(whisper.ours, 1)
        seat = batch.sit()
        batch.load(seat, all_layers(whisper.ours.encode_padded([sample]))[0])
        prompt = (*ENGLISH, whisper.vocabulary.no_timestamps)
        starts = batch.align({seat: ((*prompt, *text), len(prompt))})[seat]
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


# ------------------------------------------------------------------------- words


def split(whisper: Whisper, text: str, language: str) -> list[str]:
    tokens = whisper.tokenizer.encode(text, add_special_tokens=False)
    words = split_words(tokens, whisper.tokenizer, language)
    assert sum(count for _, count in words) == len(tokens)
    assert all(count > 0 for _, count in words)
    return [word for word, _ in words]


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", " Hello, world!", [" Hello,", " world!"]),
        ("en", " It's well-known.", [" It's", " well", "-known."]),
        ("en", ' He said "go away" (twice).', [" He", " said", ' "go', ' away"', " (twice)."]),
        ("en", " antidisestablishmentarianism", [" antidisestablishmentarianism"]),
        ("en", ' "Why?" she asked...', [' "Why?"', " she", " asked..."]),
        ("en", " Well… (yes!).", [" Well…", " (yes!)."]),
        ("de", " Grüße über Straßen", [" Grüße", " über", " Straßen"]),
        ("es", " ¿Qué pasa?", [" ¿Qué", " pasa?"]),
        ("ru", " Привет, мир.", [" Привет,", " мир."]),
    ],
)
def test_words_stand_between_spaces_and_take_their_punctuation(
    whisper: Whisper, language: str, text: str, words: list[str]
) -> None:
    assert split(whisper, text, language) == words


@pytest.mark.parametrize(
    ("language", "text"), [("zh", "今天天气很好，我们去公园。"), ("ja", "こんにちは、世界。鰯と鯵")]
)
def test_without_spaces_words_are_whole_characters_and_punctuation_joins_what_it_follows(
    whisper: Whisper, language: str, text: str
) -> None:
    words = split(whisper, text, language)
    assert "".join(words) == text
    assert len(words) >= 5
    assert all(word[0] not in "，、。" for word in words)


@given(st.text(st.sampled_from("abc äß,.!?'\"()-今天去ありがと🙂"), max_size=30))
def test_words_are_all_of_the_text_whatever_it_is(whisper: Whisper, text: str) -> None:
    for language in ("en", "ja"):
        assert "".join(split(whisper, text, language)) == text


def test_a_character_that_was_cut_off_is_kept_as_a_word(whisper: Whisper) -> None:
    tokens = whisper.tokenizer.encode(" a🙂", add_special_tokens=False)[:-1]
    words = split_words(tokens, whisper.tokenizer, "ja")
    assert sum(count for _, count in words) == len(tokens)


def test_a_words_times_and_probability_are_those_of_its_tokens(whisper: Whisper) -> None:
    tokens = whisper.tokenizer.encode(" Hello, world!", add_special_tokens=False)
    assert len(tokens) == 4
    segment = TokenSegment(0.0, 2.0, tuple(tokens), tuple(np.log([0.5, 1.0, 0.25, 0.75])))
    words = time_words(segment, [0.1, 0.5, 0.6, 1.2, 1.3], whisper.tokenizer, "en")
    assert [(word.text, word.start, word.end) for word in words] == [
        (" Hello,", 0.1, 0.6),
        (" world!", 0.6, 1.3),
    ]
    assert [word.probability for word in words] == pytest.approx([0.75, 0.5])


@given(
    st.lists(st.floats(0, 30), min_size=2, max_size=10),
    st.floats(0, 30),
    st.floats(0, 10),
)
def test_words_are_moved_inside_their_segment_and_stay_in_order(
    times: list[float], begin: float, length: float
) -> None:
    edges = sorted(times)
    words = [Word(f" {i}", start, end, 1.0) for i, (start, end) in enumerate(pairwise(edges))]
    moved = within(words, begin, begin + length)
    assert [word.text for word in moved] == [word.text for word in words]
    flat = [edge for word in moved for edge in (word.start, word.end)]
    assert flat == sorted(flat)
    assert all(begin <= edge <= begin + length for edge in flat)
    for before, after in zip(words, moved, strict=True):
        if begin <= before.start and before.end <= begin + length:
            assert after == before
