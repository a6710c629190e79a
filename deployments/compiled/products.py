"""Products with a weight matrix in 16-bit integers, for CPUs that multiply these fastest.

Without units for bfloat16 oneDNN has float32 alone. Here whole windows take half of its time, and
steps of few rows, which wait for the weights, less than half: there are half as many bytes of them.
"""

from torch import Tensor, empty

from deployments.compiled import shares

WORTH_SHARING = 2**24
"""Multiplications, which take a thread a fifth of a millisecond: another one is told in a tenth."""
READ = 8
"""Reading weights takes as long as multiplying them with so many rows."""
ROWS_EACH = 24
"""With fewer rows for each thread they share the columns: the rows are rounded by each of them."""


def multiplies_integers() -> bool:
    """Whether the processor has the instructions for 16-bit integers, and Numba may use them."""
    from deployments.compiled import multiply_add  # noqa: PLC0415

    return multiply_add.supported()


def integers_are_faster() -> bool:
    """Whether they are, and float32 is slower."""
    from deployments.compiled import multiply_add  # noqa: PLC0415

    return multiply_add.faster()


class Integers:
    """A linear layer: float32 from float32.

    Sums of integers have no order, and so a row's result has the same bits whoever its neighbours
    are and however many threads there are.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Raises ValueError where `weight` (outputs, inputs) has an odd number of inputs."""
        # Its compiler is loaded only where it is used.
        from deployments.compiled import integers  # noqa: PLC0415

        self._product = integers.product
        self._weights = integers.Weights.of(
            weight.float().numpy(), None if bias is None else bias.detach().float().numpy()
        )

    def __call__(self, x: Tensor) -> Tensor:
        weights = self._weights
        rows = x.reshape(-1, weights.inputs).contiguous().numpy()
        count, panels = len(rows), weights.packed.shape[1]
        out = empty(count, weights.outputs)
        results = out.numpy()

        def some(row: int, last_row: int, panel: int, last_panel: int) -> None:
            self._product(
                *(rows[row:last_row], weights.packed, weights.scales, weights.bias),
                *(weights.most, panel, last_panel, results[row:last_row]),
            )

        threads = shares.allowed()
        if max(count, READ) * weights.inputs * weights.outputs < WORTH_SHARING:
            threads = 1
        if threads == 1:
            some(0, count, 0, panels)
        elif count >= ROWS_EACH * threads:
            shares.share(count, threads, lambda first, last: some(first, last, 0, panels))
        else:
            shares.share(panels, threads, lambda first, last: some(0, count, first, last))
        return out.view(*x.shape[:-1], weights.outputs)
