"""Which token comes next, by the rules and a row's temperature, for all rows of a step."""

import triton
import triton.language as tl
from torch import Tensor

from deployments.recognition.captured import state as fields
from deployments.recognition.captured.state import Masks, State

# How many scores a program reads at once, and by how many warps: found by trying, on an H200.
SCORES_AT_ONCE, SCORES_WARPS = 4096, 16

_UNSEEN = tl.constexpr(fields.UNSEEN)


def choose(logits: Tensor, state: State, masks: Masks) -> None:
    """The rules, the choice by each row's temperature, and the row one token on.

    `logits` (rows, vocabulary and what fills it up). What was chosen is noted in `chosen` and
    `scores`.
    """
    rows, size = len(logits), masks.never.shape[1]
    _choose[(rows,)](
        *(logits, masks.never, state.rows, state.prompt),
        *(state.tokens, state.positions, state.base, state.length, state.sot, state.limit),
        *(state.seed, state.temperature, state.last, state.before, state.following, state.done),
        *(state.chosen, state.scores, masks.eot, masks.begin, masks.no_speech),
        SIZE=size,
        STRIDE=logits.stride(0),
        PROMPT=fields.PROMPT,
        BLOCK=SCORES_AT_ONCE,
        num_warps=SCORES_WARPS,
    )


@triton.jit
def _choose(
    logits, never, row_slots, prompt,
    tokens, positions, base, length, sot, limit,
    seed, temperature, last, before, following, done,
    chosen, scores_out, eot, begin, no_speech,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, PROMPT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    slot = tl.load(row_slots + row)
    position = tl.load(positions + slot)
    told = tl.load(length + slot)
    ahead = position + 1 - tl.load(base + slot)
    is_first = ahead == told
    was, was_before = tl.load(last + slot) != 0, tl.load(before + slot) != 0
    follows = tl.load(following + slot)
    # A timestamp after text has to be followed by its like, the same or a later one, or by the
    # end; after two of them text comes, and then only later ones.
    half = was & (was_before == 0)
    pair = was & was_before
    first_text = tl.where(is_first, 0, tl.where(half, eot, 0))
    first_time = begin + follows - half.to(tl.int32)
    first_time = tl.where(is_first, begin, tl.where(pair, SIZE, first_time))
    heat, key = tl.load(temperature + slot), tl.load(seed + slot)
    inverse = tl.where(heat > 0, 1 / tl.maximum(heat, 1e-6), 1.0)

    # Each lane keeps the best and the sum of the tokens that it sees; one reduction at the end.
    nothing = tl.zeros([BLOCK], tl.float32)
    any_top, any_total = nothing + _UNSEEN, nothing
    text_top, text_total = nothing + _UNSEEN, nothing
    time_top, time_total = nothing + _UNSEEN, nothing
    text_best, text_score = nothing + 2 * _UNSEEN, nothing + _UNSEEN
    time_best, time_score = nothing + 2 * _UNSEEN, nothing + _UNSEEN
    text_token, time_token = tl.zeros([BLOCK], tl.int32) + SIZE, tl.zeros([BLOCK], tl.int32) + SIZE
    row_logits = logits + row.to(tl.int64) * STRIDE
    row_never = never + is_first.to(tl.int32) * SIZE
    for first in tl.range(0, SIZE, BLOCK):
        token = first + tl.arange(0, BLOCK)
        inside = token < SIZE
        score = tl.load(row_logits + token, mask=inside, other=_UNSEEN).to(tl.float32)
        # What is no number is never chosen.
        score = tl.where(score == score, score, _UNSEEN)  # noqa: PLR0124
        allowed = inside & (tl.load(row_never + token, mask=inside, other=1) == 0)
        is_text = allowed & (token < begin) & (token >= first_text)
        is_time = allowed & (token >= begin) & (token >= first_time)
        wanted = score * inverse
        if heat > 0:
            chance = tl.rand(key, position * SIZE + token)
            wanted = wanted - tl.log(-tl.log(tl.maximum(chance, 1e-12)))

        any_top, any_total = _added(any_top, any_total, score, inside)
        text_top, text_total = _added(text_top, text_total, score, is_text)
        time_top, time_total = _added(time_top, time_total, score, is_time)
        better = is_text & (wanted > text_best)
        text_best = tl.where(better, wanted, text_best)
        text_score = tl.where(better, score, text_score)
        text_token = tl.where(better, token, text_token)
        better = is_time & (wanted > time_best)
        time_best = tl.where(better, wanted, time_best)
        time_score = tl.where(better, score, time_score)
        time_token = tl.where(better, token, time_token)

    any_all, any_sum = _reduced(any_top, any_total)
    text_all, text_sum = _reduced(text_top, text_total)
    time_all, time_sum = _reduced(time_top, time_total)
    best_text, its_text_score, chosen_text = _best(text_best, text_score, text_token, SIZE)
    best_time, its_time_score, chosen_time = _best(time_best, time_score, time_token, SIZE)
    # A timestamp wherever all together are likelier than any single other token.
    likelier = (time_sum > 0) & (time_all + tl.log(tl.maximum(time_sum, 1e-30)) > text_all)
    top_of_all = tl.where(likelier, time_all, tl.maximum(text_all, time_all))
    sum_of_all = time_sum * tl.exp(time_all - top_of_all)
    sum_of_all += tl.where(likelier, 0.0, text_sum * tl.exp(text_all - top_of_all))
    from_text = (likelier == 0) & (best_text >= best_time)
    next_token = tl.where(from_text, chosen_text, chosen_time)
    next_token = tl.minimum(next_token, SIZE - 1)  # where nothing may come, or no logit is a number
    its_score = tl.where(from_text, its_text_score, its_time_score)
    logprob = its_score - top_of_all - tl.log(tl.maximum(sum_of_all, 1e-30))

    silence = tl.load(row_logits + no_speech).to(tl.float32)
    no_speech_prob = tl.exp(silence - any_all) / tl.maximum(any_sum, 1e-30)
    tl.store(scores_out + row * 2, logprob)
    at_start = position == tl.load(sot + slot)
    tl.store(scores_out + row * 2 + 1, tl.where(at_start, no_speech_prob, -1.0))

    is_told = ahead < told
    tl.store(chosen + row * 2, tl.where(is_told, -1, next_token))
    tl.store(chosen + row * 2 + 1, position)
    if tl.load(done + slot) == 0:
        if is_told:
            next_token = tl.load(prompt + slot * PROMPT + ahead)
        else:
            timed = next_token >= begin
            tl.store(before + slot, tl.where(is_first, 1, was.to(tl.int32)))
            tl.store(last + slot, timed.to(tl.int32))
            tl.store(following + slot, tl.where(timed, next_token - begin + 1, follows))
        ends = (next_token == eot) | (position + 2 >= tl.load(limit + slot))
        if (is_told == 0) & ends:
            tl.store(done + slot, 1)
        else:
            tl.store(tokens + slot, next_token.to(tl.int64))
            tl.store(positions + slot, position + 1)


@triton.jit
def _added(top, total, score, counts):
    """A sum of exponentials, beside the largest, with one more term where it counts."""
    kept = tl.where(counts, score, _UNSEEN)
    new = tl.maximum(top, kept)
    return new, total * tl.exp(top - new) + tl.where(counts, tl.exp(kept - new), 0.0)


@triton.jit
def _reduced(top, total):
    highest = tl.max(top, 0)
    return highest, tl.sum(total * tl.exp(top - highest), 0)


@triton.jit
def _best(best, score, token, SIZE: tl.constexpr):
    """Of the lanes' best the very best, of equal ones the first: what it is wanted by, its score
    and its token."""
    highest = tl.max(best, 0)
    first = tl.min(tl.where(best == highest, token, SIZE), 0)
    return highest, tl.max(tl.where(token == first, score, _UNSEEN), 0), first
