"""The operations of `kernels` in torch's own: their reference, and the way where they cannot be
compiled. Here rows are as long as the longest, and what they do not have is masked."""

import torch
from torch import Tensor

from deployments.recognition.captured import state as fields
from deployments.recognition.captured.state import Masks, State
from deployments.recognition.model.linear import Product
from deployments.recognition.model.weights import FeedForward, Norm, add_and_norm


def begin(state: State, rows: int) -> None:
    said = state.control[:rows]
    slots = said[:, fields.SLOT].long()
    state.rows[:rows] = slots
    fresh = said[:, fields.FRESH] != 0
    position = said[:, fields.POSITION]
    heat = said[:, fields.TEMPERATURE].contiguous().view(torch.float32)
    ones = torch.ones_like(position)

    def take(field: Tensor, value: Tensor) -> None:
        wanted = fresh if value.dim() == 1 else fresh[:, None]
        field[slots] = torch.where(wanted, value.to(field.dtype), field[slots])

    take(state.positions, position)
    take(state.base, position)
    take(state.length, said[:, fields.LENGTH])
    take(state.sot, said[:, fields.SOT])
    take(state.limit, said[:, fields.LIMIT])
    take(state.seed, said[:, fields.SEED])
    take(state.temperature, heat)
    take(state.tokens, said[:, fields.TOKENS])
    take(state.prompt, said[:, fields.TOKENS :])
    take(state.last, (said[:, fields.LENGTH] > 0).int())
    take(state.before, ones)
    take(state.following, (-said[:, fields.LENGTH]).clamp(min=0))
    take(state.done, 0 * ones)


add_norm = add_and_norm


def multiply(x: Tensor, product: Product) -> Tensor:
    return product(x)


def widen(x: Tensor, layer: FeedForward) -> Tensor:
    return layer.activation(layer.widen(x))


def add_product(x: Tensor, found: Tensor, product: Product, norm: Norm) -> tuple[Tensor, Tensor]:
    return add_norm(x, product(found), norm)


def self_attention(state: State, layer: int, projected: Tensor) -> Tensor:
    shape, rows = state.shape, len(projected)
    slots = state.rows[:rows]
    positions = state.positions[slots].long()
    queries, keys, values = projected.view(rows, 3, shape.heads, shape.head_size).unbind(1)
    state.keys[layer][slots, :, positions] = keys
    state.values[layer][slots, :, positions] = values
    seen = torch.arange(shape.target, device=state.device) <= positions[:, None]
    # What an earlier tenant left may be no number, which no mask would hide.
    past, its_values = (
        torch.where(seen[:, None, :, None], held[layer][slots], 0.0)
        for held in (state.keys, state.values)
    )
    added = torch.where(seen, 0.0, fields.UNSEEN)[:, None, None]
    return _attend(queries[:, :, None], past, its_values, added)[:, :, 0].flatten(1)


def cross_attention(state: State, layer: int, queries: Tensor, slots: Tensor) -> Tensor:
    shape, (rows, texts, _) = state.shape, queries.shape
    held = slots.clamp(max=state.count - 1)
    seen = torch.arange(shape.source, device=state.device) < state.owned[slots][:, None]
    there = seen[:, None, :, None]
    keys, values = (
        torch.cat(
            [
                silent[layer].expand(rows, -1, -1, -1),
                torch.where(there, window[layer][held], 0.0),
            ],
            dim=2,
        )
        for silent, window in (
            (state.silent_keys, state.window_keys),
            (state.silent_values, state.window_values),
        )
    )
    added = torch.cat([state.silent_scores[slots], torch.where(seen, 0.0, fields.UNSEEN)], dim=1)
    split = queries.view(rows, texts, shape.heads, shape.head_size).transpose(1, 2)
    return _attend(split, keys, values, added[:, None, None]).transpose(1, 2).flatten(2)


def _attend(queries: Tensor, keys: Tensor, values: Tensor, added: Tensor) -> Tensor:
    """Queries (rows, heads, texts, size) over (rows, heads, positions, size)."""
    scores = (queries @ keys.transpose(-1, -2)).float() + added
    return torch.softmax(scores, dim=-1).to(values.dtype) @ values


def choose(logits: Tensor, state: State, masks: Masks) -> None:
    rows, size = len(logits), masks.never.shape[1]
    slots = state.rows[:rows]
    position = state.positions[slots]
    ahead = position + 1 - state.base[slots]
    is_first, is_told = ahead == state.length[slots], ahead < state.length[slots]
    was, was_before = state.last[slots] != 0, state.before[slots] != 0
    follows = state.following[slots]
    half, pair = was & ~was_before & ~is_first, was & was_before & ~is_first

    scores = torch.nan_to_num(logits[:, :size].float(), nan=fields.UNSEEN)
    chances = scores.softmax(1)[:, masks.no_speech]
    token = torch.arange(size, device=logits.device)
    never = masks.never[is_first.long()] != 0
    is_time = token >= masks.begin
    never |= half[:, None] & (token < masks.eot)
    earliest = torch.where(is_first, 0, masks.begin + follows - half.int())
    never |= is_time & ((token < earliest[:, None]) | pair[:, None])
    masked = scores.masked_fill(never, float("-inf"))
    timed = masked[:, masks.begin :].logsumexp(1)
    likelier = timed > masked[:, : masks.begin].amax(1)
    masked = masked.masked_fill(likelier[:, None] & ~is_time, float("-inf"))
    heat = state.temperature[slots][:, None]
    noise = _gumbel(state.seed[slots], position, size)
    wanted = torch.where(heat > 0, masked / heat.clamp(min=1e-6) + noise, masked)
    next_token = wanted.argmax(1)
    logprob = masked.log_softmax(1).gather(1, next_token[:, None])[:, 0]

    at_start = position == state.sot[slots]
    state.scores[:rows, fields.LOGPROB] = logprob
    state.scores[:rows, fields.NO_SPEECH] = torch.where(at_start, chances, -1.0)
    state.chosen[:rows, fields.TOKEN] = torch.where(is_told, fields.NOTHING, next_token.int())
    state.chosen[:rows, fields.AT] = position

    going = state.done[slots] == 0
    told = state.prompt[slots].gather(1, ahead.clamp(0, fields.PROMPT - 1).long()[:, None])[:, 0]
    next_token = torch.where(is_told, told.long(), next_token)
    chosen = going & ~is_told
    timestamp = next_token >= masks.begin
    state.before[slots] = torch.where(chosen, (is_first | was).int(), state.before[slots])
    state.last[slots] = torch.where(chosen, timestamp.int(), state.last[slots])
    after = (next_token - masks.begin + 1).int()
    state.following[slots] = torch.where(chosen & timestamp, after, follows)
    ends = chosen & ((next_token == masks.eot) | (position + 2 >= state.limit[slots]))
    state.done[slots] = torch.where(ends, 1, state.done[slots])
    goes_on = going & ~ends
    state.tokens[slots] = torch.where(goes_on, next_token, state.tokens[slots])
    state.positions[slots] = torch.where(goes_on, position + 1, position)


def _gumbel(seeds: Tensor, positions: Tensor, size: int) -> Tensor:
    """Noise (rows, size) that depends on a row's seed and position alone: a hash of integers."""
    counter = positions.long()[:, None] * size + torch.arange(size, device=seeds.device)
    x = counter * 0x9E3779B1 + seeds.long()[:, None] * 0x85EBCA77
    for multiplier in (0x7FEB352D, 0x846CA68B):
        x = ((x ^ ((x & 0xFFFFFFFF) >> 16)) * multiplier) & 0xFFFFFFFF
    x ^= x >> 16
    chance = (x.double() + 0.5) / 2**32
    return (-torch.log(-torch.log(chance))).float()


def smooth(weights: Tensor, owned: Tensor, width: int) -> Tensor:
    _, _, _, positions = weights.shape
    side = width // 2
    at = torch.arange(positions, device=weights.device)
    count = owned[:, None].long()
    around = []
    for offset in range(-side, side + 1):
        one = (at + offset).abs().expand(len(owned), -1)
        one = torch.where(one >= count, 2 * (count - 1) - one, one).clamp(0, positions - 1)
        around.append(one)
    total = torch.zeros_like(weights[:, 0])
    for head in weights.unbind(1):
        near = torch.stack([head.gather(2, one[:, None].expand_as(head)) for one in around])
        median = near.median(dim=0).values
        total += torch.where((owned <= side)[:, None, None], head, median)
    return torch.where(at < count[:, None], total / weights.shape[1], 0.0)
