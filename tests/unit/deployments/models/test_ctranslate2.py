import struct
from pathlib import Path

import numpy as np
import pytest

from deployments.models.ctranslate2 import Array, read


def _string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def _variable(name: str, array: Array, kind: int) -> bytes:
    head = _string(name) + struct.pack("<B", array.ndim)
    head += struct.pack(f"<{array.ndim}I", *array.shape)
    return head + struct.pack("<BI", kind, array.nbytes) + array.tobytes()


def _model(*variables: bytes, version: int = 6, aliases: tuple[tuple[str, str], ...] = ()) -> bytes:
    data = (
        struct.pack("<I", version) + _string("WhisperSpec") + struct.pack("<II", 3, len(variables))
    )
    data += b"".join(variables) + struct.pack("<I", len(aliases))
    return data + b"".join(_string(alias) + _string(name) for alias, name in aliases)


WEIGHT = np.array([[1.5, -2.0, 0.25], [0.0, 8.0, -0.5]], dtype="<f2")
HEADS = np.array(8, dtype="<i2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.bin"


def test_reads_shapes_types_values_and_aliases(path: Path) -> None:
    path.write_bytes(
        _model(
            _variable("encoder/weight", WEIGHT, 4),
            _variable("encoder/num_heads", HEADS, 2),
            _variable("scale", np.array([0.5], dtype="<f4"), 0),
            aliases=(("decoder/weight", "encoder/weight"),),
        )
    )
    model = read(path)
    assert (model.spec, model.revision) == ("WhisperSpec", 3)
    assert set(model.variables) == {
        "encoder/weight",
        "encoder/num_heads",
        "scale",
        "decoder/weight",
    }
    np.testing.assert_array_equal(model.variables["encoder/weight"], WEIGHT)
    assert model.variables["encoder/weight"].dtype == np.float16
    assert model.variables["decoder/weight"] is model.variables["encoder/weight"]
    assert int(model.variables["encoder/num_heads"]) == 8
    assert model.variables["encoder/num_heads"].shape == ()


def test_refuses_a_version_it_does_not_know(path: Path) -> None:
    path.write_bytes(_model(version=5))
    with pytest.raises(ValueError, match="format version 5"):
        read(path)


def test_refuses_a_type_it_does_not_know(path: Path) -> None:
    path.write_bytes(_model(_variable("weight", WEIGHT, 5)))
    with pytest.raises(ValueError, match="variable weight has type 5"):
        read(path)


@pytest.mark.parametrize("kept", [3, 30, -5, -1])
def test_refuses_a_file_that_is_cut_short(path: Path, kept: int) -> None:
    path.write_bytes(_model(_variable("weight", WEIGHT, 4))[:kept])
    with pytest.raises(ValueError, match="The file ends at byte"):
        read(path)
