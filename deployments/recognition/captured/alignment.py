"""When tokens were said, of several rows at once: the picture that dynamic time warping follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deployments.recognition.captured.decoder import CapturedDecoder


@dataclass(frozen=True, slots=True)
class Told:
    """The text of rows, told again, in memory of a fixed address: (rows, 3 + texts) with each row's
    slot, where in its tokens the text begins, how many they are, and the tokens."""

    packed: Tensor

    @classmethod
    def empty(cls, rows: int, texts: int, device: torch.device) -> "Told":
        return cls(torch.zeros((rows, 3 + texts), dtype=torch.int64, device=device))

    @property
    def tokens(self) -> Tensor:
        return self.packed[:, 3:]

    def slots(self) -> Tensor:
        return self.packed[:, 0].contiguous()


def costs(
    decoder: CapturedDecoder, told: Told, *, heads: Sequence[tuple[int, int]], median_width: int
) -> Tensor:
    """What it costs to hear each token at each position (rows, texts, source), in float32.

    Valid from the row before the text on, and over a window's own positions.
    """
    slots, tokens = told.slots(), told.tokens
    begins, lengths = told.packed[:, 1], told.packed[:, 2]
    owned = decoder.state.owned[slots]
    scores = torch.stack(decoder.read(slots, tokens, heads), dim=1).float()
    source, texts = scores.shape[-1], tokens.shape[1]
    beyond = torch.arange(source, device=scores.device) >= owned[:, None]
    weights = scores.masked_fill(beyond[:, None, None], float("-inf")).softmax(-1)
    text = torch.arange(texts, device=scores.device)
    counts = (text >= begins[:, None] - 1) & (text < lengths[:, None])
    share = (counts / counts.sum(1, keepdim=True))[:, None, :, None]
    mean = (weights * share).sum(2, keepdim=True)
    deviation = ((weights - mean).square() * share).sum(2, keepdim=True).sqrt()
    normal = (weights - mean) / deviation.clamp_min(1e-10)
    return -decoder.operations.smooth(normal, owned, median_width)
