"""What the rows of the running batch hold, by slot, in memory of fixed addresses."""

from dataclasses import dataclass

import torch
from torch import Tensor

from deployments.recognition.attention.silence import MEANS, Groups
from deployments.recognition.model.rules import Rules

PROMPT = 8
"""Tokens that a row can be given to be stepped through; longer prompts begin with a pass."""

UNSEEN = -1e30
"""Added to the score of what a row does not see. Finite, for a row may see nothing at all."""

# What the host says of a row in a step, as int32 (see `Start`).
SLOT, FRESH, POSITION, LENGTH, SOT, LIMIT, SEED, TEMPERATURE, TOKENS = range(9)
CONTROL = TOKENS + PROMPT
"""`LENGTH` is how many tokens a row is told. One that goes on behind text is told its last token
alone, and has there, below zero, the timestamp that follows the last one (see `RuleState`)."""

# What a step says of a row: int32 and float32.
TOKEN, AT = range(2)
LOGPROB, NO_SPEECH = range(2)

NOTHING = -1
"""Stands for the token where a row was told what comes next."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a decoder; `source` and `target` bound the positions of a window and of its text."""

    layers: int
    heads: int
    head_size: int
    source: int
    target: int
    vocabulary: int

    @property
    def width(self) -> int:
        return self.heads * self.head_size


class State:
    """`count` slots, and one more that belongs to nobody: rows in excess of those in use have it.

    `keys` and `values` (layers, slots, heads, target, size) are those of a row's own text,
    `window_keys` and `window_values` (layers, count, heads, source, size) those of its window, of
    which the first `owned` (slots,) are valid. `silent_keys` and `silent_values` (layers, heads,
    MEANS, size) stand for the silence behind all windows; `silent_scores` (slots, MEANS) say who
    sees which of them. Of each slot there is the token that is taken in next and its position;
    what it was told to begin with, and how far; the state of the rules; and whether it is done.
    """

    def __init__(self, count: int, shape: Shape, dtype: torch.dtype, device: torch.device) -> None:
        self.count, self.shape, self.device, self.dtype = count, shape, device, dtype
        own = (shape.layers, count + 1, shape.heads, shape.target, shape.head_size)
        window = (shape.layers, count, shape.heads, shape.source, shape.head_size)
        silent = (shape.layers, shape.heads, MEANS, shape.head_size)

        def numbers(kind: torch.dtype, *size: int, value: float = 0) -> Tensor:
            return torch.full(size or (count + 1,), value, dtype=kind, device=device)

        self.keys, self.values = numbers(dtype, *own), numbers(dtype, *own)
        self.window_keys, self.window_values = numbers(dtype, *window), numbers(dtype, *window)
        self.silent_keys, self.silent_values = numbers(dtype, *silent), numbers(dtype, *silent)
        self.silent_scores = numbers(torch.float32, count + 1, MEANS, value=UNSEEN)
        self.owned = numbers(torch.int32)
        self.tokens, self.positions = numbers(torch.int64), numbers(torch.int32)
        self.prompt = numbers(torch.int32, count + 1, PROMPT)
        self.base, self.length = numbers(torch.int32), numbers(torch.int32)
        self.sot, self.limit = numbers(torch.int32), numbers(torch.int32)
        self.seed, self.temperature = numbers(torch.int32), numbers(torch.float32)
        self.last, self.before = numbers(torch.int32), numbers(torch.int32)
        self.following = numbers(torch.int32)
        self.done = numbers(torch.int32, value=1)
        # What goes in and out of each step.
        self.control = numbers(torch.int32, count, CONTROL)
        self.rows = numbers(torch.int64, count, value=count)
        self.chosen = numbers(torch.int32, count, 2)
        self.scores = numbers(torch.float32, count, 2)
        self.positions_of = [0] * (count + 1)
        self._seen: Tensor | None = None

    @property
    def knows_silence(self) -> bool:
        """Whether the silence is known."""
        return self._seen is not None

    def set_silence(self, groups: Groups, keys: Tensor, values: Tensor) -> None:
        """Take the keys and values (layers, heads, groups, size) of silence, before a window is
        loaded that it stands behind."""
        self.silent_keys[:, :, : groups.count] = keys
        self.silent_values[:, :, : groups.count] = values
        # By how many positions a window has itself.
        seen = torch.full((self.shape.source + 1, MEANS), UNSEEN)
        for owned in range(self.shape.source + 1):
            seen[owned, : groups.count] = groups.scores(owned).clamp(min=UNSEEN)
        self._seen = seen.to(self.device)

    def own(self, slot: int, positions: int, *, silent: bool) -> None:
        """Take note of a window's positions. `silent`: the row sees the silence behind them."""
        self.positions_of[slot] = positions
        self.owned[slot] = positions
        if silent:
            assert self._seen is not None
            self.silent_scores[slot] = self._seen[positions]
        else:
            self.silent_scores[slot] = UNSEEN


@dataclass(frozen=True, slots=True)
class Masks:
    """The rules of a vocabulary as a step reads them: who may never come, (2, vocabulary), in the
    second row as the first token; and where the end, timestamps and <|nospeech|> are."""

    never: Tensor
    eot: int
    begin: int
    no_speech: int

    @classmethod
    def of(cls, rules: Rules, no_speech: int) -> "Masks":
        never = torch.stack([rules.never, rules.never_at_begin]).to(torch.int8)
        return cls(never, rules.eot, rules.begin, no_speech)
