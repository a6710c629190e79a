import pytest
import torch

from deployments.recognition.attention.cross import Shape
from deployments.recognition.attention.cross_slab import SlabAttention, zeros
from deployments.recognition.attention.kernels import attention

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_memory_that_no_window_was_written_to_holds_no_garbage(dtype: torch.dtype) -> None:
    """A masked position counts for nothing only if it is a number: nothing times NaN is NaN."""
    shape = (2, 3, 3, 80, 4)
    garbage = [torch.full(shape, torch.nan, dtype=dtype) for _ in range(64)]
    del garbage
    made = zeros(shape, dtype, CPU)
    assert (made.shape, made.dtype) == (shape, dtype)
    assert not made.any()


def test_a_step_may_take_rows_that_nobody_uses() -> None:
    """A captured one has as many as fit; what they find is of no use, but it is a number."""
    some = SlabAttention(
        3,
        Shape(1, 2, 4, 80),
        attention("sdpa"),
        dtype=torch.float32,
        mask_dtype=torch.float32,
        device=CPU,
    )
    some.load(0, *torch.ones(2, 1, 2, 20, 4), silent=False)
    found = some.context(0, torch.ones(3, 2, 1, 4), slice(0, 3), 32)
    assert found.isfinite().all()
    assert (found[0] == 1).all()
