"""Read the weights out of a CTranslate2 `model.bin`.

The layout is that of CTranslate2's binary format version 6 (https://github.com/OpenNMT/CTranslate2),
all little endian: a header, then each variable as name, shape, type, byte count and data, then
pairs of names that share one variable. A string is a u16 length that counts the closing NUL,
the bytes, and the NUL.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_VERSION = 6
# By the number the file holds. Number 5, bfloat16, has no numpy type and no bundled model uses it.
_TYPES: dict[int, type[np.generic]] = {
    0: np.float32,
    1: np.int8,
    2: np.int16,
    3: np.int32,
    4: np.float16,
}


@dataclass(frozen=True, slots=True)
class Model:
    """`variables` are views of the file, in the file's own type. Aliases are resolved in it."""

    spec: str
    revision: int
    variables: dict[str, Array]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        size = struct.calcsize("<" + form)
        (value,) = struct.unpack("<" + form, self.take(size))
        return int(value)

    def string(self) -> str:
        return bytes(self.take(self.number("H"))[:-1]).decode()

    def take(self, size: int) -> memoryview:
        view = memoryview(self._data)[self._at : self._at + size]
        if len(view) < size:
            raise ValueError(f"The file ends at byte {len(self._data)}, inside a variable.")
        self._at += size
        return view


def read(path: Path) -> Model:
    """Read a `model.bin`. Raises ValueError where the file is not one, or is cut short."""
    reader = _Reader(path.read_bytes())
    version = reader.number("I")
    if version != _VERSION:
        raise ValueError(f"{path.name} has format version {version}; this reader knows {_VERSION}.")
    spec, revision = reader.string(), reader.number("I")
    variables: dict[str, Array] = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        shape = tuple(reader.number("I") for _ in range(reader.number("B")))
        kind = reader.number("B")
        if kind not in _TYPES:
            raise ValueError(f"{path.name}: variable {name} has type {kind}, which is not known.")
        data = reader.take(reader.number("I"))
        variables[name] = np.frombuffer(data, dtype=_TYPES[kind]).reshape(shape)
    for _ in range(reader.number("I")):
        alias, name = reader.string(), reader.string()
        variables[alias] = variables[name]
    return Model(spec, revision, variables)
