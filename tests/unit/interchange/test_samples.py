import numpy as np
import pytest

from interchange.samples import StretchCutter, as_float32, as_int16
from interchange.stages import STRETCH, STRETCH_REACH, Int16, Stretch


def test_what_was_16_bits_is_so_again() -> None:
    every = np.arange(-32768, 32768).astype(np.int16)
    floats = as_float32(every)
    assert floats.dtype == np.float32
    assert (floats.min(), floats.max()) == (-1, 32767 / 32768)
    np.testing.assert_array_equal(as_int16(floats), every)


def test_what_lies_between_goes_to_the_nearest() -> None:
    floats = np.array([0.4, 0.6, -0.4, -0.6], np.float32) / np.float32(32768)
    assert as_int16(floats).tolist() == [0, 1, 0, -1]


def test_what_is_too_loud_is_clipped_and_does_not_wrap_around() -> None:
    loud = np.array([1.0, 3.0, -1.0, -3.0], np.float32)
    assert as_int16(loud).tolist() == [32767, 32767, -32768, -32768]


def cut(samples: Int16, ends: list[int]) -> list[Stretch]:
    cutter = StretchCutter()
    found = [stretch for block in np.split(samples, ends) for stretch in cutter.feed(block)]
    return [*found, *cutter.flush()]


@pytest.mark.parametrize(
    "length",
    [
        *(1, STRETCH - 1, STRETCH, STRETCH + 1),
        *(STRETCH + STRETCH_REACH - 1, STRETCH + STRETCH_REACH, 2 * STRETCH + STRETCH_REACH + 1),
    ],
)
def test_stretches_are_the_same_however_a_recording_comes(length: int) -> None:
    samples = np.arange(length).astype(np.int16)
    rng = np.random.default_rng(length)
    whole = cut(samples, [])
    assert [stretch.number for stretch in whole] == list(range(-(-length // STRETCH)))
    for stretch in whole:
        begin = stretch.number * STRETCH
        np.testing.assert_array_equal(
            stretch.samples, samples[begin : begin + STRETCH + STRETCH_REACH]
        )
    assert sum(stretch.seconds for stretch in whole) == pytest.approx(length / 16_000)
    for _ in range(3):
        ends = np.sort(rng.integers(0, length + 1, 20)).tolist()
        in_blocks = cut(samples, ends)
        assert [each.number for each in in_blocks] == [each.number for each in whole]
        for one, other in zip(in_blocks, whole, strict=True):
            np.testing.assert_array_equal(one.samples, other.samples)


def test_nothing_has_no_stretches() -> None:
    assert cut(np.zeros(0, np.int16), []) == []
