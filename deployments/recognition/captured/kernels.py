"""What a step does beside its products, each in one kernel that Triton compiles.

A row reads what is its own and no further: whoever its neighbours are, its arithmetic is the same,
and nothing that an earlier tenant of its slot left there is ever read. `plain` does the same with
torch's own operations.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from deployments.recognition.attention.silence import MEANS
from deployments.recognition.captured import state as fields
from deployments.recognition.captured.choice_kernel import choose
from deployments.recognition.captured.product_kernels import add_norm, add_product, multiply, widen
from deployments.recognition.captured.state import State
from deployments.recognition.model.weights import Norm

__all__ = [
    "add_norm",
    "add_product",
    "begin",
    "check",
    "choose",
    "cross_attention",
    "multiply",
    "self_attention",
    "smooth",
    "widen",
]

# How much a program reads at once, and by how many warps: found by trying, on an H200.
POSITIONS_AT_ONCE, POSITIONS_WARPS = 64, 4
PAST_AT_ONCE, PAST_WARPS = 64, 4

_UNSEEN = tl.constexpr(fields.UNSEEN)


def check(device: torch.device) -> None:
    """Raises whatever the compiler raises where it does not work."""
    x = torch.ones((1, 16), device=device)
    add_norm(x, x, Norm(x[0], x[0], 1e-5))
    torch.cuda.synchronize(device)


def begin(state: State, rows: int) -> None:
    """Take in what the host says of `rows` rows: whose they are, and what begins in which."""
    _begin[(rows,)](
        state.control,
        state.rows,
        state.prompt,
        *(state.tokens, state.positions, state.base, state.length, state.sot, state.limit),
        *(state.seed, state.temperature, state.last, state.before, state.following, state.done),
        CONTROL=fields.CONTROL,
        PROMPT=fields.PROMPT,
        num_warps=1,
    )


@triton.jit
def _begin(
    control, row_slots, prompt,
    tokens, positions, base, length, sot, limit,
    seed, temperature, last, before, following, done,
    CONTROL: tl.constexpr, PROMPT: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    said = control + row * CONTROL
    slot = tl.load(said).to(tl.int64)
    tl.store(row_slots + row, slot)
    if tl.load(said + 1) != 0:
        position = tl.load(said + 2)
        tl.store(positions + slot, position)
        tl.store(base + slot, position)
        told = tl.load(said + 3)
        tl.store(length + slot, told)
        tl.store(sot + slot, tl.load(said + 4))
        tl.store(limit + slot, tl.load(said + 5))
        tl.store(seed + slot, tl.load(said + 6))
        tl.store(temperature + slot, tl.load(said + 7).to(tl.float32, bitcast=True))
        tl.store(tokens + slot, tl.load(said + 8).to(tl.int64))
        each = tl.arange(0, PROMPT)
        tl.store(prompt + slot * PROMPT + each, tl.load(said + 8 + each))
        tl.store(last + slot, (told > 0).to(tl.int32))
        tl.store(before + slot, 1)
        tl.store(following + slot, tl.maximum(-told, 0))
        tl.store(done + slot, 0)


def self_attention(state: State, layer: int, projected: Tensor) -> Tensor:
    """One token of each row, its scaled queries, keys and values (rows, 3 × width) -> what it finds
    in its past and itself (rows, width). Keys and values are kept."""
    shape, rows = state.shape, len(projected)
    found = torch.empty((rows, shape.width), dtype=projected.dtype, device=projected.device)
    _self[(rows, shape.heads)](
        *(projected, state.keys[layer], state.values[layer], state.positions, state.rows, found),
        HEADS=shape.heads,
        SIZE=shape.head_size,
        TARGET=shape.target,
        BLOCK=PAST_AT_ONCE,
        num_warps=PAST_WARPS,
    )
    return found


@triton.jit
def _self(
    projected, keys, values, positions, rows, found,
    HEADS: tl.constexpr, SIZE: tl.constexpr, TARGET: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, head = tl.program_id(0), tl.program_id(1)
    slot = tl.load(rows + row)
    position = tl.load(positions + slot)
    d = tl.arange(0, SIZE)
    own = projected + (row * 3 * HEADS + head) * SIZE + d
    k = tl.load(own + HEADS * SIZE)
    v = tl.load(own + 2 * HEADS * SIZE)
    # Products of matrices have 16 rows at least: the query is the first, and the others nothing.
    only = tl.arange(0, 16) == 0
    q = tl.load(own[None, :] + 0 * only[:, None].to(tl.int32), mask=only[:, None], other=0.0)
    start = (slot * HEADS + head) * TARGET * SIZE
    highest = tl.sum(q.to(tl.float32) * k[None, :].to(tl.float32), 1)
    total = highest * 0 + 1.0
    context = tl.zeros([16, SIZE], tl.float32) + v[None, :].to(tl.float32)
    for first in tl.range(0, position, BLOCK):
        at = first + tl.arange(0, BLOCK)
        there = at < position
        where = start + at[:, None] * SIZE + d[None, :]
        past = tl.load(keys + where, mask=there[:, None], other=0.0)
        seen = tl.load(values + where, mask=there[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(past), input_precision="ieee")
        scores = tl.where(there[None, :], scores, float("-inf"))
        top = tl.maximum(highest, tl.max(scores, 1))
        fading = tl.exp(highest - top)
        weights = tl.exp(scores - top[:, None])
        found_here = tl.dot(weights.to(seen.dtype), seen, input_precision="ieee")
        context = context * fading[:, None] + found_here
        total = total * fading + tl.sum(weights, 1)
        highest = top
    result = (context / total[:, None]).to(found.dtype.element_ty)
    to = found + (row * HEADS + head) * SIZE + d[None, :] + 0 * only[:, None].to(tl.int32)
    tl.store(to, result, mask=only[:, None])
    tl.store(keys + start + position * SIZE + d, k)
    tl.store(values + start + position * SIZE + d, v)


def cross_attention(state: State, layer: int, queries: Tensor, slots: Tensor) -> Tensor:
    """Scaled queries (rows, texts, width) of the windows in `slots` (rows,) -> what they find, in
    the same shape."""
    shape, (rows, texts, _) = state.shape, queries.shape
    found = torch.empty_like(queries)
    together = 16 if texts <= 16 else 64
    _cross[(rows, shape.heads, triton.cdiv(texts, together))](
        *(queries, state.window_keys[layer], state.window_values[layer]),
        *(state.silent_keys[layer], state.silent_values[layer], state.silent_scores),
        *(state.owned, slots, found, texts),
        HEADS=shape.heads,
        SIZE=shape.head_size,
        SOURCE=shape.source,
        MEANS=MEANS,
        GROUPS=triton.next_power_of_2(MEANS),
        TEXTS=together,
        BLOCK=POSITIONS_AT_ONCE,
        num_warps=POSITIONS_WARPS,
        num_stages=3,
    )
    return found


@triton.jit
def _cross(
    queries, keys, values, silent_keys, silent_values, silent_scores, owned, slots, found, texts,
    HEADS: tl.constexpr, SIZE: tl.constexpr, SOURCE: tl.constexpr, MEANS: tl.constexpr,
    GROUPS: tl.constexpr, TEXTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, head = tl.program_id(0), tl.program_id(1)
    text = tl.program_id(2) * TEXTS + tl.arange(0, TEXTS)
    slot = tl.load(slots + row)
    positions = tl.load(owned + slot)
    d = tl.arange(0, SIZE)
    asking = ((row * texts + text) * HEADS + head)[:, None] * SIZE + d[None, :]
    q = tl.load(queries + asking, mask=(text < texts)[:, None], other=0.0)

    group = tl.arange(0, GROUPS)
    real = group < MEANS
    mean_at = (head * MEANS + group)[:, None] * SIZE + d[None, :]
    mean_k = tl.load(silent_keys + mean_at, mask=real[:, None], other=0.0)
    seen = tl.load(silent_scores + slot * MEANS + group, mask=real, other=_UNSEEN)
    of_silence = tl.dot(q, tl.trans(mean_k), input_precision="ieee") + seen[None, :]
    highest = tl.max(of_silence, 1)
    shares = tl.exp(of_silence - highest[:, None])
    total = tl.sum(shares, 1)
    mean_v = tl.load(silent_values + mean_at, mask=real[:, None], other=0.0)
    context = tl.dot(shares.to(mean_v.dtype), mean_v, input_precision="ieee")

    start = (slot * HEADS + head) * SOURCE * SIZE
    for first in tl.range(0, positions, BLOCK):
        at = first + tl.arange(0, BLOCK)
        there = at < positions
        where = start + at[:, None] * SIZE + d[None, :]
        k = tl.load(keys + where, mask=there[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee")
        scores = tl.where(there[None, :], scores, float("-inf"))
        top = tl.maximum(highest, tl.max(scores, 1))
        fading = tl.exp(highest - top)
        weights = tl.exp(scores - top[:, None])
        v = tl.load(values + where, mask=there[:, None], other=0.0)
        found_here = tl.dot(weights.to(v.dtype), v, input_precision="ieee")
        context = context * fading[:, None] + found_here
        total = total * fading + tl.sum(weights, 1)
        highest = top
    result = (context / total[:, None]).to(found.dtype.element_ty)
    tl.store(found + asking, result, mask=(text < texts)[:, None])


def smooth(weights: Tensor, owned: Tensor, width: int) -> Tensor:
    """Weights of alignment (rows, heads, texts, positions), of which a row has the first `owned`
    (rows,) -> their median over `width` positions, mirrored at both ends, as the mean of all heads
    (rows, texts, positions)."""
    rows, heads, texts, positions = weights.shape
    found = weights.new_empty((rows, texts, positions))
    block = 256
    _smooth[(rows * texts, triton.cdiv(positions, block))](
        *(weights, owned, found, texts, positions), HEADS=heads, WIDTH=width, BLOCK=block
    )
    return found


@triton.jit
def _smooth(
    weights, owned, found, texts, positions,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, text = tl.program_id(0) // texts, tl.program_id(0) % texts
    count = tl.load(owned + row)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    side: tl.constexpr = WIDTH // 2
    narrow = count <= side
    total = tl.zeros([BLOCK], tl.float32)
    for head in tl.range(0, HEADS):
        line = weights + ((row * HEADS + head).to(tl.int64) * texts + text) * positions
        median = tl.load(line + at, mask=at < count, other=0.0)
        if narrow == 0:
            for i in tl.static_range(WIDTH):
                one = tl.abs(at + (i - side))
                one = tl.where(one >= count, 2 * (count - 1) - one, one)
                x = tl.load(line + one, mask=at < count, other=0.0)
                below = tl.zeros([BLOCK], tl.int32)
                for j in tl.static_range(WIDTH):
                    other = tl.abs(at + (j - side))
                    other = tl.where(other >= count, 2 * (count - 1) - other, other)
                    y = tl.load(line + other, mask=at < count, other=0.0)
                    if j < i:
                        below += (y <= x).to(tl.int32)
                    elif j > i:
                        below += (y < x).to(tl.int32)
                median = tl.where(below == side, x, median)
        total += median
    tl.store(
        found + tl.program_id(0).to(tl.int64) * positions + at, total / HEADS, mask=at < positions
    )
