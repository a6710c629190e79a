"""When each word was said: cross-attention of the alignment heads, and dynamic time warping.

Some heads of the decoder look at the audio of the token that comes next. Their attention,
normalised and smoothed, is a picture of text against time; the best monotonic path through it
gives each token its start. The method is that of OpenAI's `whisper.timing`.
"""

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

SECONDS_PER_POSITION = 0.02

Matrix = npt.NDArray[np.float64]


def token_starts(scores: Tensor, median_width: int) -> list[float]:
    """Seconds at which each text row of `scores` (heads, rows, positions) starts.

    `scores` are those of attention before the softmax.
    """
    weights = torch.softmax(scores.float(), dim=-1)
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    weights = _median((weights - mean) / deviation.clamp_min(1e-10), median_width)
    cost = -weights.mean(dim=0).double().cpu().numpy()
    return [float(at) * SECONDS_PER_POSITION for at in warp(cost)]


def warp(cost: Matrix) -> npt.NDArray[np.int64]:
    """The first column of each row on the cheapest monotonic path through (rows, columns)."""
    # Its compiler is loaded only where it is used.
    from deployments.recognition.compiled.warp import warp as compiled  # noqa: PLC0415

    starts = np.zeros(len(cost), np.int64)
    compiled(np.ascontiguousarray(cost), np.empty(cost.shape), starts)
    return starts


def _median(x: Tensor, width: int) -> Tensor:
    """A median filter of odd `width` along the last dimension, mirrored at its ends."""
    side = width // 2
    if x.shape[-1] <= side:
        return x
    padded = F.pad(x, (side, side), mode="reflect")
    return padded.unfold(-1, width, 1).median(dim=-1).values
