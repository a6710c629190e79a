import numpy as np

from interchange.samples import as_float32, as_int16


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
