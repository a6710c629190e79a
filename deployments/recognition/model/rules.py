"""Whisper's rules on which token may come next, for all rows at once and on the device.

Tokens the checkpoint suppresses; timestamps in pairs that never go back; the first token a
timestamp, and not too late a one; and a timestamp wherever all timestamps together are likelier
than any single other token (https://arxiv.org/abs/2212.04356). The state a row needs is three
numbers, so that a step has no loop over rows and can be captured as a graph.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from deployments.recognition.attention.memory import NEVER
from deployments.recognition.window.vocabulary import Vocabulary


class RuleState:
    """What the rules know of each of `rows` rows, on the device.

    `last` and `before` say whether the last token and the one before it are timestamps; a row
    that has no token yet counts as if timestamps came before. `following` is the timestamp, in
    steps of 0.02 s, that follows the row's last one; 0 if it has none.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        self.last = torch.ones(rows, dtype=torch.bool, device=device)
        self.before = torch.ones(rows, dtype=torch.bool, device=device)
        self.following = torch.zeros(rows, dtype=torch.long, device=device)

    def fields(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.last, self.before, self.following

    def reset(self, row: int, following: int | None = None) -> None:
        """A row begins anew; with `following` behind text and the timestamps before it."""
        self.last[row] = following is None
        self.before[row] = True
        self.following[row] = following or 0

    def move(self, source: int, target: int) -> None:
        for field in self.fields():
            field[target] = field[source]


class Rules:
    """The rules of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, device: torch.device) -> None:
        self.begin = vocabulary.timestamp_begin
        self.eot = vocabulary.eot
        self._max_initial = vocabulary.max_initial_timestamp
        never = torch.zeros(vocabulary.size, dtype=torch.bool)
        never[list(vocabulary.suppressed)] = True
        never[vocabulary.no_timestamps] = True
        self.never = never.to(device)
        at_begin = never.clone()
        at_begin[list(vocabulary.suppressed_at_begin)] = True
        at_begin[: self.begin] = True
        if self._max_initial is not None:
            at_begin[self.begin + self._max_initial + 1 :] = True
        self.never_at_begin = at_begin.to(device)
        self._steps = torch.arange(vocabulary.size - self.begin, device=device)

    def following(self, said: Sequence[int]) -> int:
        """The timestamp that follows the last of some tokens, as `RuleState` has it."""
        return max((token - self.begin + 1 for token in said if token >= self.begin), default=0)

    def first(self, logits: Tensor) -> Tensor:
        """Mask the logits (rows, vocabulary) of each row's first token, in place."""
        return logits.masked_fill_(self.never_at_begin, NEVER)

    def apply(self, logits: Tensor, state: RuleState, rows: int, first: int = 0) -> Tensor:
        """Mask the logits (rows, vocabulary) of `rows` rows from `first` on, in place."""
        which = slice(first, first + rows)
        last, before, following = (field[which, None] for field in state.fields())
        # A timestamp after text has to be followed by its like, the same or a later one, or by
        # the end; after two of them text comes, and then only later ones.
        half = last & ~before
        logits.masked_fill_(self.never, NEVER)
        logits[:, : self.eot].masked_fill_(half, NEVER)
        timestamps = logits[:, self.begin :]
        timestamps.masked_fill_((self._steps < following - half.long()) | (last & before), NEVER)
        text = logits[:, : self.begin]
        likelier = timestamps.logsumexp(1, keepdim=True) > text.amax(1, keepdim=True)
        text.masked_fill_(likelier, NEVER)
        return logits

    def advance(self, tokens: Tensor, state: RuleState, rows: slice) -> None:
        """Take note of the tokens chosen for some rows."""
        last, before, following = (field[rows] for field in state.fields())
        is_timestamp = tokens >= self.begin
        following.copy_(torch.where(is_timestamp, tokens - self.begin + 1, following))
        before.copy_(last)
        last.copy_(is_timestamp)
