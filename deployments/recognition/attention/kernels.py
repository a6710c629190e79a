"""The one place where an attention kernel is chosen and called.

Queries are already scaled. FlashAttention 2 takes what has no mask; everything else goes to
`scaled_dot_product_attention`, or to plain matrix products where eager attention was asked for.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.compiled import shares

Kernel = Literal["flash_attention_2", "sdpa", "eager"]
Attention = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""(queries, keys, values, mask) -> context; all (batch, heads, positions, head size). The mask is
added to the scores: (batch, heads, queries, keys), or (n,) to those of the last n keys for all."""

Softmax = Callable[[Tensor, Tensor], Tensor]
"""(scores (n, keys) in bfloat16, which may be overwritten; (m,) in float32, added to the last m
of each row) -> weights."""

QUERIES_AT_ONCE = 512
"""Queries of a head whose scores lie in memory at once, on a CPU."""

FEW_THREADS = 4
"""Up to so many of an engine, of which two encode beside the decoding, the softmax of one thread
is as fast as theirs together."""


def attention(kernel: Kernel, threads: int = 1, *, integers: bool = False) -> Attention:
    """`threads` are those of a CPU in all. The kernel does not depend on how many are in use at a
    time. Its order of sums does, in float32 without AVX-512, and with it the last digits of what is
    encoded.

    Raises ImportError where FlashAttention 2 is asked for and not installed.
    """
    if kernel == "flash_attention_2":
        return _flash()
    if kernel == "eager":
        return _eager
    if integers:
        return _in_integers
    return partial(_sdpa, softmax=_by_torch if threads > FEW_THREADS else _compiled)


def _sdpa(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    softmax: Softmax,
) -> Tensor:
    if queries.device.type == "cpu":
        if mask is not None and mask.dim() > 1:
            return _by_one_thread(queries, keys, values, mask)
        if queries.dtype == torch.bfloat16:
            return _by_head(queries, keys, values, mask, softmax)
    if mask is not None and mask.dim() == 1:
        mask = F.pad(mask, (keys.shape[2] - len(mask), 0))[None]
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=1.0)


def _by_one_thread(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """For a decoder's few own positions, and for whole windows where no silence is shared.

    torch's kernel sums up in another order where it has several threads, and how many a decoder
    has changes while windows are encoded: a bit of a row's logits would depend on it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=1.0)
    finally:
        torch.set_num_threads(threads)


def _by_head(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, softmax: Softmax
) -> Tensor:
    """Plain products, a head's at a time, for CPUs that multiply bfloat16.

    torch's own kernel does not use their instructions, and takes more than twice as long. The
    scores of one head and some queries stay in the core's cache.
    """
    context = torch.empty_like(queries)
    added = torch.zeros(0) if mask is None else mask.float()
    for index in np.ndindex(*queries.shape[:2]):
        transposed = keys[index].t()
        for start in range(0, queries.shape[2], QUERIES_AT_ONCE):
            some = slice(start, start + QUERIES_AT_ONCE)
            weights = softmax(queries[index][some] @ transposed, added)
            torch.mm(weights, values[index], out=context[index][some])
    return context


def _in_integers(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """One window's, in 16-bit integers."""
    # Its compiler is loaded only where it is used.
    from deployments.compiled.multiply_add import COLUMNS  # noqa: PLC0415
    from deployments.recognition.compiled.encoder_attention import attend  # noqa: PLC0415

    _, heads, asking, size = queries.shape
    if size % COLUMNS or (mask is not None and mask.dim() > 1):
        return _sdpa(queries, keys, values, mask, _by_torch)
    found = torch.empty(len(queries), asking, heads, size)
    added = (torch.zeros(0) if mask is None else mask.float()).numpy()
    for index, context in enumerate(found):
        arrays = [each[index].numpy() for each in (queries, keys, values)]
        own = partial(attend, *arrays, added, found=context.numpy())
        shares.share(heads, shares.allowed(), own)
    return found.transpose(1, 2)


def _by_torch(scores: Tensor, added: Tensor) -> Tensor:
    scores[:, scores.shape[1] - len(added) :] += added
    return torch.softmax(scores, dim=-1)


def _compiled(scores: Tensor, added: Tensor) -> Tensor:
    # Its compiler is loaded only where it is used.
    from deployments.recognition.compiled.softmax import softmax  # noqa: PLC0415

    softmax(scores.view(torch.uint16).numpy(), added.numpy())
    return scores


def _eager(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    scores = queries @ keys.transpose(-1, -2)
    if mask is not None:
        scores[..., scores.shape[-1] - mask.shape[-1] :] += mask
    return torch.softmax(scores.float(), dim=-1).to(values.dtype) @ values


def _flash() -> Attention:
    from flash_attn import flash_attn_func  # noqa: PLC0415 - only where it is wanted

    flash: Any = flash_attn_func
    masked = attention("sdpa")

    def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:
            return masked(queries, keys, values, mask)
        context: Tensor = flash(
            queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), softmax_scale=1.0
        )
        return context.transpose(1, 2)

    return attend
