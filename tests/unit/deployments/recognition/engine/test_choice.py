"""The choice in one go, held against the rules and torch's own argmax and logarithms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.recognition.attention.memory import NEVER
from deployments.recognition.engine.choice import Choice, CompiledChoice, likeliest
from deployments.recognition.model.rules import Rules
from tests.support.processor import with_fewer_too
from tests.unit.deployments.recognition.model.test_rules import (
    CPU,
    FIRST,
    SMALL,
    random_logits,
    tokens,
    told,
)
from tests.unit.deployments.recognition.support import Whisper

pytestmark = with_fewer_too

ROWS = 5
RULES = Rules(SMALL, CPU)
CHOICES = {
    dtype: CompiledChoice(RULES, ROWS, dtype)
    for dtype in (torch.float32, torch.bfloat16, torch.float16)
}


def alike(ours: Choice, expected: Choice) -> None:
    assert torch.equal(ours.masked, expected.masked)
    assert torch.equal(ours.tokens, expected.tokens)
    torch.testing.assert_close(ours.logprobs, expected.logprobs, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.integers(1, 6).flatmap(
        lambda length: st.lists(
            st.lists(tokens, min_size=length, max_size=length), min_size=1, max_size=ROWS
        )
    ),
    st.integers(0, 2**30),
    st.sampled_from([0.1, 1.0, 5.0]),
    st.sampled_from(list(CHOICES)),
)
def test_it_is_what_the_rules_and_torch_choose_for_any_history(
    histories: list[list[int]], seed: int, scale: float, dtype: torch.dtype
) -> None:
    logits = random_logits(len(histories), SMALL, seed, scale).to(dtype)
    state = told(RULES, histories)
    for first in range(len(histories)):
        rows = len(histories) - first
        expected = RULES.apply(logits[first:].float().clone(), state, rows, first)
        alike(CHOICES[dtype](logits[first:], state, first), likeliest(expected))


def test_of_two_that_are_equally_likely_it_is_the_first() -> None:
    logits = torch.zeros(1, SMALL.size).bfloat16()
    logits[0, [9, 12, FIRST + 2]] = 7
    choice = CHOICES[torch.bfloat16](logits, told(RULES, [[FIRST]]), 0)
    assert choice.tokens.tolist() == [9]


def test_of_what_is_no_number_it_is_a_token_still() -> None:
    logits = torch.full((1, SMALL.size), torch.nan)
    choice = CHOICES[torch.float32](logits, told(RULES, [[FIRST]]), 0)
    assert 0 <= int(choice.tokens) < SMALL.size


def test_the_vocabulary_of_a_model_is_chosen_from(whisper: Whisper) -> None:
    rules, vocabulary = Rules(whisper.vocabulary, CPU), whisper.vocabulary
    choose = CompiledChoice(rules, 2, torch.float32)
    begin = vocabulary.timestamp_begin
    logits = random_logits(2, vocabulary, 0)
    logits[0, begin:] -= 20
    for history in ([begin], [begin, 400, begin + 9], [begin, 400, begin + 9, begin + 9]):
        state = told(rules, [history] * 2)
        expected = likeliest(rules.apply(logits.clone(), state, 2))
        alike(choose(logits, state, 0), expected)


@pytest.mark.parametrize("token", [4, 7])
def test_the_logarithm_of_another_tokens_probability(token: int) -> None:
    masked = random_logits(2, SMALL, 3)
    masked[:, 5] = NEVER
    choice = likeliest(masked)
    expected = masked.log_softmax(1)[1, token]
    torch.testing.assert_close(choice.logprob(1, torch.tensor(token)), expected)
