"""When each word was said: cross-attention of the alignment heads, and dynamic time warping.

Some heads of the decoder look at the audio of the token that comes next. Their attention,
normalised and smoothed, is a picture of text against time; the best monotonic path through it
gives each token its start. The method is that of OpenAI's `whisper.timing`.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.recognition.window.segments import Tokenizer, TokenSegment
from interchange.transcript import Word

SECONDS_PER_POSITION = 0.02
SPACELESS = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces: there a word is the fewest tokens that make characters."""
OPENING = "\"'“¿([{-"
CLOSING = "\"'.…。,，!！?？:：”)]}、"
REPLACEMENT = "\ufffd"

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
    """The first column of each row on the cheapest monotonic path through (rows, columns).

    The recurrence along a row, c[j] = m[j] + min(a[j], c[j-1]), is a running minimum once the
    row's prefix sums are taken off, so that each row is a few vector operations.
    """
    rows, columns = cost.shape
    total = np.empty((rows, columns))
    total[0] = np.cumsum(cost[0])
    for i in range(1, rows):
        above = total[i - 1]
        entry = np.minimum(above, np.concatenate(([np.inf], above[:-1])))
        sums = np.cumsum(cost[i])
        total[i] = sums + np.minimum.accumulate(entry - sums + cost[i])
    starts = np.zeros(rows, dtype=np.int64)
    column = columns - 1
    for i in range(rows - 1, 0, -1):
        above = total[i - 1]
        # Walk left while staying in the row is what the path did.
        while column > 0 and total[i, column - 1] <= min(above[column], above[column - 1]):
            column -= 1
        starts[i] = column
        if column > 0 and above[column - 1] <= above[column]:
            column -= 1
    return starts


def time_words(
    segment: TokenSegment, starts: Sequence[float], tokenizer: Tokenizer, language: str
) -> list[Word]:
    """The words of a segment; `starts` has a time for each token and one for the end."""
    words: list[Word] = []
    used = 0
    for text, count in split_words(segment.tokens, tokenizer, language):
        logprobs = segment.logprobs[used : used + count]
        probability = float(np.exp(logprobs).mean())
        words.append(Word(text, starts[used], starts[used + count], probability))
        used += count
    return words


def within(words: list[Word], begin: float, end: float) -> list[Word]:
    """Words moved inside a segment's times, in order and never ending before they start."""
    moved: list[Word] = []
    for word in words:
        start = min(max(word.start, begin), end)
        moved.append(Word(word.text, start, min(max(word.end, start), end), word.probability))
    return moved


# ------------------------------------------------------------------------------- splitting


def split_words(
    tokens: Sequence[int], tokenizer: Tokenizer, language: str
) -> list[tuple[str, int]]:
    """Words, each with how many tokens it has; punctuation belongs to the word beside it."""
    words: list[tuple[str, int]] = []
    for text, count in _characters(tokens, tokenizer):
        joins = language not in SPACELESS and not text.startswith(" ")
        if words and joins and not _is_punctuation(text):
            words[-1] = (words[-1][0] + text, words[-1][1] + count)
        else:
            words.append((text, count))
    return _with_punctuation(words)


def _characters(tokens: Sequence[int], tokenizer: Tokenizer) -> list[tuple[str, int]]:
    """The fewest tokens at a time that decode to whole characters."""
    units: list[tuple[str, int]] = []
    pending: list[int] = []
    for token in tokens:
        pending.append(token)
        text = tokenizer.decode(pending)
        if REPLACEMENT not in text:
            units.append((text, len(pending)))
            pending = []
    if pending:
        units.append((tokenizer.decode(pending), len(pending)))
    return units


def _with_punctuation(words: list[tuple[str, int]]) -> list[tuple[str, int]]:
    joined: list[tuple[str, int]] = []
    opening: tuple[str, int] = ("", 0)
    for text, count in words:
        bare = text.strip()
        closes = bare and all(c in CLOSING for c in bare) and not text.startswith(" ")
        if joined and not opening[1] and closes:
            joined[-1] = (joined[-1][0] + text, joined[-1][1] + count)
        elif bare and bare in OPENING and text.startswith(" "):
            opening = (opening[0] + text, opening[1] + count)
        else:
            joined.append((opening[0] + text, opening[1] + count))
            opening = ("", 0)
    if opening[1]:
        joined.append(opening)
    return joined


def _is_punctuation(text: str) -> bool:
    bare = text.strip()
    return bool(bare) and all(unicodedata.category(c).startswith(("P", "S")) for c in bare)


def _median(x: Tensor, width: int) -> Tensor:
    """A median filter of odd `width` along the last dimension, mirrored at its ends."""
    side = width // 2
    if x.shape[-1] <= side:
        return x
    padded = F.pad(x, (side, side), mode="reflect")
    return padded.unfold(-1, width, 1).median(dim=-1).values
