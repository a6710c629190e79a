"""Products of a step's few rows with a layer's matrices, and sums with their norms.

A step reads each matrix once, and most of its products are done within microseconds: so what
follows one is part of it where it can be. A product with few outputs has its inputs cut into parts,
for all of the card to have work; whoever adds the parts up goes on with the sum and its norm. Sums
have one order, whatever the number of rows. Many rows are multiplied by cuBLAS.
"""

import math
from typing import Any, NamedTuple, TypeGuard

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
import triton
import triton.language as tl
from torch import Tensor

from deployments.recognition.model.linear import Linear, Product
from deployments.recognition.model.weights import FeedForward, Norm

FEW = 64
"""Rows up to which these were tried, and are faster than cuBLAS."""


class Tiles(NamedTuple):
    """Outputs and inputs that a program reads at once, and into how many parts the inputs are cut;
    by four warps, so many reads ahead. `turned`: outputs are what the card's products have most
    of, and not rows."""

    outputs: int
    inputs: int
    parts: int
    stages: int
    turned: bool


# Found by trying, on an H200 with the widths of large-v3. What has three times as many outputs as
# inputs is left to cuBLAS, which takes as long.
LEVEL = Tiles(outputs=16, inputs=128, parts=1, stages=5, turned=False)
WIDER = Tiles(outputs=64, inputs=64, parts=1, stages=6, turned=True)
LEVEL_ADDED = Tiles(outputs=64, inputs=64, parts=4, stages=5, turned=True)
NARROWER_ADDED = Tiles(outputs=64, inputs=64, parts=10, stages=5, turned=True)


def multiply(x: Tensor, product: Product) -> Tensor:
    """(rows, inputs) -> (rows, outputs)."""
    if not _few(product, x) or product.weight.shape[0] != product.weight.shape[1]:
        return product(x)
    return _whole(x, product, LEVEL, gelu=False)


def widen(x: Tensor, layer: FeedForward) -> Tensor:
    """A feed-forward's first product and its activation."""
    product = layer.widen
    if layer.activation is not F.gelu or not _few(product, x):
        return layer.activation(product(x))
    return _whole(x, product, WIDER, gelu=True)


def add_product(x: Tensor, found: Tensor, product: Product, norm: Norm) -> tuple[Tensor, Tensor]:
    """`x` (rows, width) with the product of `found` (rows, inputs) added, and that normalised."""
    if not _few(product, found):
        return add_norm(x, product(found), norm)
    rows, width = x.shape
    tiles = LEVEL_ADDED if product.weight.shape[1] == width else NARROWER_ADDED
    parts = torch.empty((tiles.parts, rows, width), dtype=torch.float32, device=x.device)
    _launch(found, product, parts, tiles, gelu=False)
    total, normed = torch.empty_like(x), torch.empty_like(x)
    _add_parts[(rows,)](
        *(x, parts, *_bias(product, x), norm.weight, norm.bias, total, normed, norm.eps, rows),
        WIDTH=width,
        PARTS=tiles.parts,
        BLOCK=triton.next_power_of_2(width),
        num_warps=8 if width > 1024 else 4,
    )
    return total, normed


def add_norm(
    x: Tensor, added: Tensor, norm: Norm, limit: float = math.inf
) -> tuple[Tensor, Tensor]:
    """(…, width) twice -> their sum, kept within ± `limit`, and that normalised."""
    x, added = x.contiguous(), added.contiguous()  # rows are found by their number
    total, normed = torch.empty_like(x), torch.empty_like(x)
    width = x.shape[-1]
    _add_norm[(x.numel() // width,)](
        *(x, added, norm.weight, norm.bias, total, normed, norm.eps, limit),
        WIDTH=width,
        BLOCK=triton.next_power_of_2(width),
        num_warps=8 if width > 1024 else 4,
    )
    return total, normed


@triton.jit
def _add_norm(
    x, added, weight, bias, total, normed, eps, limit, WIDTH: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64) * WIDTH
    each = tl.arange(0, BLOCK)
    inside = each < WIDTH
    sums = tl.load(x + row + each, mask=inside, other=0.0) + tl.load(
        added + row + each, mask=inside, other=0.0
    )
    sums = tl.minimum(tl.maximum(sums.to(tl.float32), -limit), limit).to(sums.dtype)
    tl.store(total + row + each, sums, mask=inside)
    result = _normalised(sums, weight, bias, eps, each, inside, WIDTH)
    tl.store(normed + row + each, result.to(normed.dtype.element_ty), mask=inside)


@triton.jit
def _normalised(sums, weight, bias, eps, each, inside, WIDTH: tl.constexpr):
    exact = sums.to(tl.float32)
    mean = tl.sum(exact, 0) / WIDTH
    centred = tl.where(inside, exact - mean, 0.0)
    scale = 1 / tl.sqrt(tl.sum(centred * centred, 0) / WIDTH + eps)
    w = tl.load(weight + each, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(bias + each, mask=inside, other=0.0).to(tl.float32)
    return centred * scale * w + b


def _few(product: Product, x: Tensor) -> TypeGuard[Linear]:
    return isinstance(product, Linear) and len(x) <= FEW and product.weight.is_contiguous()


def _whole(x: Tensor, linear: Linear, tiles: Tiles, *, gelu: bool) -> Tensor:
    found = torch.empty((len(x), len(linear.weight)), dtype=x.dtype, device=x.device)
    _launch(x, linear, found, tiles, gelu=gelu)
    return found


def _bias(linear: Linear, stand_in: Tensor) -> tuple[Tensor, bool]:
    """A kernel's argument, and whether it is to be read."""
    return (stand_in, False) if linear.bias is None else (linear.bias, True)


def _launch(x: Tensor, linear: Linear, out: Tensor, tiles: Tiles, *, gelu: bool) -> None:
    rows, inputs = x.shape
    outputs = len(linear.weight)
    together = min(64, max(16, triton.next_power_of_2(rows)))
    # Whole blocks of inputs in each part.
    part = triton.cdiv(triton.cdiv(inputs, tiles.parts), tiles.inputs) * tiles.inputs
    grid = (triton.cdiv(outputs, tiles.outputs), tiles.parts, triton.cdiv(rows, together))
    _multiply[grid](
        *(x, linear.weight, *_bias(linear, x), out, rows),
        INPUTS=inputs,
        OUTPUTS=outputs,
        PART=part,
        IN_PARTS=out.dim() == 3,
        GELU=gelu,
        ROWS=together,
        COLUMNS=tiles.outputs,
        DEPTH=tiles.inputs,
        TURNED=tiles.turned,
        num_warps=4,
        num_stages=_stages(x, tiles, together),
    )


def _stages(x: Tensor, tiles: Tiles, rows: int) -> int:
    """Reads ahead, as far as the card's shared memory goes: cards of today have 64 to 227 kB."""
    if x.device.type != "cuda":
        return tiles.stages
    card: Any = torch.cuda.get_device_properties(x.device)
    room: int = card.shared_memory_per_block_optin
    ahead = (rows + tiles.outputs) * tiles.inputs * x.element_size()
    return max(1, min(tiles.stages, room // ahead))


@triton.jit
def _multiply(
    x, weight, bias, BIASED: tl.constexpr, out, rows,
    INPUTS: tl.constexpr, OUTPUTS: tl.constexpr, PART: tl.constexpr, IN_PARTS: tl.constexpr,
    GELU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr, TURNED: tl.constexpr,
):  # fmt: skip
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    part = tl.program_id(1)
    row = tl.program_id(2) * ROWS + tl.arange(0, ROWS)
    there, real = row < rows, column < OUTPUTS
    each = tl.arange(0, DEPTH)
    if TURNED:
        total = tl.zeros([COLUMNS, ROWS], tl.float32)
    else:
        total = tl.zeros([ROWS, COLUMNS], tl.float32)
    first = part * PART
    for start in tl.range(first, tl.minimum(first + PART, INPUTS), DEPTH):
        at = start + each
        inside = each >= 0 if INPUTS % DEPTH == 0 else at < INPUTS
        some = tl.load(
            x + row[:, None] * INPUTS + at[None, :],
            mask=there[:, None] & inside[None, :],
            other=0.0,
        )
        matrix = tl.load(
            weight + column[:, None] * INPUTS + at[None, :],
            mask=real[:, None] & inside[None, :],
            other=0.0,
        )
        if TURNED:
            total = tl.dot(matrix, tl.trans(some), total, input_precision="ieee")
        else:
            total = tl.dot(some, tl.trans(matrix), total, input_precision="ieee")
    if TURNED:
        total = tl.trans(total)
    where = row[:, None] * OUTPUTS + column[None, :]
    kept = there[:, None] & real[None, :]
    if IN_PARTS:
        tl.store(out + part * rows * OUTPUTS + where, total, mask=kept)
    else:
        if BIASED:
            total += tl.load(bias + column, mask=real, other=0.0).to(tl.float32)[None, :]
        if GELU:
            # Rounded first, as where the activation is a kernel of its own.
            total = total.to(out.dtype.element_ty).to(tl.float32)
            total = 0.5 * total * (1.0 + tl.erf(total * 0.7071067811865476))
        tl.store(out + where, total.to(out.dtype.element_ty), mask=kept)


@triton.jit
def _add_parts(
    x, parts, bias, BIASED: tl.constexpr, norm_weight, norm_bias, total, normed, eps, rows,
    WIDTH: tl.constexpr, PARTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    each = tl.arange(0, BLOCK)
    inside = each < WIDTH
    added = tl.zeros([BLOCK], tl.float32)
    for part in tl.static_range(PARTS):
        added += tl.load(parts + (part * rows + row) * WIDTH + each, mask=inside, other=0.0)
    if BIASED:
        added += tl.load(bias + each, mask=inside, other=0.0).to(tl.float32)
    line = row * WIDTH + each
    sums = tl.load(x + line, mask=inside, other=0.0) + added.to(x.dtype.element_ty)
    tl.store(total + line, sums, mask=inside)
    result = _normalised(sums, norm_weight, norm_bias, eps, each, inside, WIDTH)
    tl.store(normed + line, result.to(normed.dtype.element_ty), mask=inside)
