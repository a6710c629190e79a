"""Which token comes next: the likeliest that the rules leave, and how likely it is."""

from dataclasses import dataclass

import torch
from torch import Tensor

from deployments.recognition.attention.memory import NEVER
from deployments.recognition.model.rules import Rules, RuleState


@dataclass(frozen=True, slots=True)
class Choice:
    """Of each row: the logits (rows, vocabulary) that the rules leave, the likeliest of their
    tokens (rows,), and the logarithms of these tokens' probabilities (rows,)."""

    masked: Tensor
    tokens: Tensor
    logprobs: Tensor

    def logprob(self, index: int, token: Tensor) -> Tensor:
        """That of another token of a row."""
        scores = self.masked[index]
        return self.logprobs[index] + scores[token] - scores[self.tokens[index]]


def likeliest(masked: Tensor) -> Choice:
    """The choice among masked logits."""
    tokens = masked.argmax(1)
    # One thread a row: of a sum that threads share, the last bits depend on their number.
    logprobs = masked.log_softmax(1).gather(1, tokens[:, None])[:, 0]
    return Choice(masked, tokens, logprobs)


class CompiledChoice:
    """Rules and choice in one go, on a CPU.

    torch goes over the rows' logits a dozen times for them, which took a tenth of a step. Where
    logits are no numbers, as a broken model's, it is some token still.
    """

    def __init__(self, rules: Rules, capacity: int, dtype: torch.dtype) -> None:
        """`capacity` bounds the rows, `dtype` is that of logits."""
        # Its compiler is loaded only where it is used.
        from deployments.recognition.compiled.choice import kernel  # noqa: PLC0415

        self._choose = kernel(bfloat16=dtype == torch.bfloat16)
        self._rules = rules
        self._never = torch.zeros(len(rules.never)).masked_fill(rules.never, NEVER).numpy()
        self._masked = torch.empty(capacity, len(rules.never))

    def __call__(self, logits: Tensor, state: RuleState, first: int) -> Choice:
        """The choice of the rows of `state` from `first` on; valid until the next one."""
        rows = len(logits)
        choice = Choice(self._masked[:rows], torch.zeros(rows, dtype=torch.long), torch.zeros(rows))
        bits = logits.view(torch.uint16) if logits.dtype == torch.bfloat16 else logits.float()
        last, before, following = (field[first : first + rows].numpy() for field in state.fields())
        self._choose(
            bits.numpy(),
            self._never,
            *(self._rules.eot, self._rules.begin),
            *(last, before, following),
            *(choice.masked.numpy(), choice.tokens.numpy(), choice.logprobs.numpy()),
        )
        return choice
