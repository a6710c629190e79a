"""The rules, held against the logits processors of transformers, which know them by loops."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GenerationConfig
from transformers.generation.logits_process import (
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)

from deployments.recognition.attention.memory import NEVER
from deployments.recognition.model.rules import Rules, RuleState
from deployments.recognition.window.vocabulary import Vocabulary
from tests.unit.deployments.recognition.support import Whisper

CPU = torch.device("cpu")
PROMPT = (21, 23, 24)

SMALL = Vocabulary(
    size=46,
    sot=21,
    eot=20,
    previous=25,
    no_speech=26,
    no_timestamps=27,
    languages={"en": 22, "de": 23},
    tasks={"transcribe": 24},
    suppressed=(3, 4, 21, 22, 23, 24, 25, 26),
    suppressed_at_begin=(5, 20),
    max_initial_timestamp=6,
)
FIRST, LAST = SMALL.timestamp_begin, SMALL.size - 1


def published(vocabulary: Vocabulary, history: Sequence[int], logits: Tensor) -> Tensor:
    """Mask one row's logits as `generate` does, after the prompt and `history`."""
    config = GenerationConfig(
        eos_token_id=vocabulary.eot,
        no_timestamps_token_id=vocabulary.no_timestamps,
        max_initial_timestamp_index=vocabulary.max_initial_timestamp,
    )
    begin = len(PROMPT)
    tokens = torch.tensor([[*PROMPT, *history]])
    scores = logits[None]
    for process in (
        SuppressTokensAtBeginLogitsProcessor(list(vocabulary.suppressed_at_begin), begin),
        SuppressTokensLogitsProcessor(list(vocabulary.suppressed)),
        WhisperTimeStampLogitsProcessor(config, begin_index=begin),
    ):
        scores = process(tokens, scores)
    masked: Tensor = scores[0]
    return masked


def told(rules: Rules, histories: Sequence[Sequence[int]]) -> RuleState:
    """What rows with histories of one length know, told a token at a time."""
    state = RuleState(len(histories), CPU)
    for tokens in zip(*histories, strict=True):
        rules.advance(torch.tensor(tokens), state, slice(0, len(histories)))
    return state


def ours(vocabulary: Vocabulary, histories: Sequence[Sequence[int]], logits: Tensor) -> Tensor:
    rules = Rules(vocabulary, CPU)
    if not histories[0]:
        return rules.first(logits.clone())
    return rules.apply(logits.clone(), told(rules, histories), len(histories))


def random_logits(rows: int, vocabulary: Vocabulary, seed: int, scale: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, vocabulary.size, generator=generator) * scale


tokens = st.integers(0, SMALL.eot) | st.integers(FIRST, LAST)


@settings(max_examples=300)
@given(st.lists(tokens, max_size=8), st.integers(0, 2**30), st.sampled_from([0.1, 1.0, 5.0]))
@example([], 0, 1.0)
@example([FIRST, 7, LAST], 0, 1.0)
@example([FIRST, 7, LAST, LAST], 0, 1.0)
@example([FIRST, 7, FIRST + 3, FIRST + 3, 8], 0, 1.0)
def test_masks_are_those_of_transformers_for_any_history(
    history: list[int], seed: int, scale: float
) -> None:
    logits = random_logits(1, SMALL, seed, scale)
    assert torch.equal(ours(SMALL, [history], logits)[0], published(SMALL, history, logits[0]))


@settings(max_examples=100)
@given(
    st.integers(1, 6).flatmap(
        lambda length: st.lists(
            st.lists(tokens, min_size=length, max_size=length), min_size=2, max_size=5
        )
    ),
    st.integers(0, 2**30),
)
def test_each_row_has_a_history_of_its_own(histories: list[list[int]], seed: int) -> None:
    logits = random_logits(len(histories), SMALL, seed)
    together = ours(SMALL, histories, logits)
    for row, history in enumerate(histories):
        assert torch.equal(together[row], published(SMALL, history, logits[row]))


@pytest.mark.parametrize("seed", range(5))
def test_decodings_by_the_rules_of_the_bundled_model_are_those_of_transformers(
    whisper: Whisper, seed: int
) -> None:
    """The model's own tokens: what is chosen goes into the history of what comes next."""
    vocabulary = whisper.vocabulary
    rules, state = Rules(vocabulary, CPU), RuleState(1, CPU)
    history: list[int] = []
    for step in range(12):
        logits = random_logits(1, vocabulary, 100 * seed + step)
        # Timestamps would win each time by their number.
        logits[:, vocabulary.timestamp_begin :] -= 8.0 * (step % 4 != 0)
        expected = published(vocabulary, history, logits[0])
        masked = rules.apply(logits, state, 1) if history else rules.first(logits)
        assert torch.equal(masked[0], expected)
        chosen = masked.argmax(1)
        rules.advance(chosen, state, slice(0, 1))
        history.append(int(chosen))
    assert any(map(vocabulary.is_timestamp, history))
    assert not all(map(vocabulary.is_timestamp, history))


def allowed(vocabulary: Vocabulary, history: list[int]) -> set[int]:
    """What may come after a history where all tokens are alike, but timestamps far less likely."""
    logits = torch.zeros(1, vocabulary.size)
    logits[:, vocabulary.timestamp_begin :] = -20
    masked = ours(vocabulary, [history], logits)[0]
    return set(torch.nonzero(masked != NEVER)[:, 0].tolist())


TEXT = set(range(SMALL.eot)) - {3, 4}


def test_the_first_token_is_an_early_timestamp() -> None:
    assert allowed(SMALL, []) == set(range(FIRST, FIRST + 7))


def test_without_a_latest_first_timestamp_any_is_allowed() -> None:
    anything = replace(SMALL, max_initial_timestamp=None)
    assert allowed(anything, []) == set(range(FIRST, LAST + 1))


def test_text_comes_after_the_first_timestamp() -> None:
    assert allowed(SMALL, [FIRST]) == TEXT | {SMALL.eot}


def test_a_timestamp_behind_text_wants_a_second_one_or_the_end() -> None:
    assert allowed(SMALL, [FIRST, 7, FIRST + 4]) == {SMALL.eot, *range(FIRST + 4, LAST + 1)}


def test_behind_text_a_later_timestamp_may_come() -> None:
    history = [FIRST, 7, FIRST + 4, FIRST + 4, 8]
    assert allowed(SMALL, history) == TEXT | {SMALL.eot, *range(FIRST + 5, LAST + 1)}


def test_timestamps_that_are_likelier_together_than_any_text_shut_text_out() -> None:
    logits = torch.zeros(1, SMALL.size)
    later = LAST - FIRST
    logits[:, FIRST:] = -math.log(later) + 0.01
    assert ours(SMALL, [[FIRST, 7]], logits)[0, :FIRST].eq(NEVER).all()
    logits[:, FIRST:] -= 0.02
    assert ours(SMALL, [[FIRST, 7]], logits)[0, 7] == 0


def test_a_reset_row_has_no_history_and_a_moved_row_keeps_its_own() -> None:
    rules, state = Rules(SMALL, CPU), RuleState(2, CPU)
    for pair in ((FIRST, FIRST), (7, 8), (FIRST + 2, FIRST + 5)):
        rules.advance(torch.tensor(pair), state, slice(0, 2))
    logits = random_logits(2, SMALL, 0)
    expected = rules.apply(logits.clone(), state, 2)
    state.move(1, 0)
    assert torch.equal(rules.apply(logits[1:].clone(), state, 1)[0], expected[1])
    state.reset(1)
    fresh = RuleState(1, CPU)
    for field, reset in zip(fresh.fields(), state.fields(), strict=True):
        assert field[0] == reset[1]
