"""What the loops are made of. Within a loop these become vector instructions: no library is called,
and nothing branches."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from deployments.compiled.kept import keep

Function = Callable[..., Any]

FAST = {"fast"}
"""Every liberty with sums: for loops over finite numbers."""
FASTER = {"reassoc", "contract", "arcp", "nsz", "afn"}
"""Those that may be taken in loops over numbers that can be infinite."""

POWERS_OF_TWO = np.polynomial.Chebyshev.interpolate(np.exp2, 6, domain=(0, 1))
"""2^f for 0 <= f < 1, to the precision of a float32."""
C0, C1, C2, C3, C4, C5, C6 = POWERS_OF_TWO.convert(kind=np.polynomial.Polynomial).coef.astype(
    np.float32
)
ONE, MINUS_TWO = np.float32(1), np.float32(-2)
LOG2_E, LEAST = np.float32(np.log2(np.e)), np.float32(-126)

_SIGN, _REST = np.int32(31), np.int32(0x7FFFFFFF)
_HALF, _HALF_BITS, _ONE = np.uint32(0x7FFF), np.uint32(16), np.uint32(1)
LOWEST = np.int32(-(2**31))
"""The least of `ranked` numbers: below that of every float32."""


def compiled(function: Function) -> Function:
    """For loops over finite numbers."""
    return _compiled(function, FAST)


def compiled_for_infinities(function: Function) -> Function:
    return _compiled(function, FASTER)


def _compiled(function: Function, liberties: set[str]) -> Function:
    done = njit(nogil=True, fastmath=liberties, error_model="numpy")(function)
    keep(done)
    return done


@compiled_for_infinities
def float32(x: Any) -> Any:
    return x


@compiled_for_infinities
def bfloat16(bits: Any) -> Any:
    """A bfloat16 is the upper half of a float32."""
    return np.uint32(np.uint32(bits) << _HALF_BITS).view(np.float32)


@compiled
def to_bfloat16(x: Any) -> Any:
    """The bits of the nearest bfloat16, of two the even one."""
    bits = np.float32(x).view(np.uint32)
    return np.uint16((bits + _HALF + ((bits >> _HALF_BITS) & _ONE)) >> _HALF_BITS)


@compiled_for_infinities
def exponential(x: Any) -> Any:
    """Of x <= 0; next to nothing below -87."""
    power = max(x * LOG2_E, LEAST)
    whole = np.floor(power)
    f = power - whole
    polynomial = C0 + f * (C1 + f * (C2 + f * (C3 + f * (C4 + f * (C5 + f * C6)))))
    return polynomial * np.int32((np.int32(whole) + 127) << 23).view(np.float32)


@compiled
def sigmoid(x: Any) -> Any:
    small = exponential(-abs(x))
    return (ONE if x >= 0 else small) / (ONE + small)


@compiled
def tanh(x: Any) -> Any:
    small = exponential(MINUS_TWO * abs(x))
    size = (ONE - small) / (ONE + small)
    return size if x >= 0 else -size


@compiled_for_infinities
def ranked(x: Any) -> Any:
    """A float32 as an integer with the same order: the highest of floats is searched for one by
    one, that of integers many at a time."""
    bits = np.float32(x).view(np.int32)
    return bits ^ ((bits >> _SIGN) & _REST)


@compiled_for_infinities
def unranked(rank: Any) -> Any:
    return np.int32(rank ^ ((rank >> _SIGN) & _REST)).view(np.float32)
