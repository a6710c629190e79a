"""The two forms of a waveform: 16 bits where it lies or travels, floats where it is worked on."""

import numpy as np

from interchange.stages import Float32, Int16

_FULL_SCALE = 32768


def as_int16(samples: Float32) -> Int16:
    """Samples in [-1, 1] in half the memory; what once was 16 bits is so again, bit for bit."""
    scaled = np.rint(samples * np.float32(_FULL_SCALE))
    quantized: Int16 = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return quantized


def as_float32(samples: Int16) -> Float32:
    """Samples in [-1, 1]."""
    return samples * np.float32(1 / _FULL_SCALE)
